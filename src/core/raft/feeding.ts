/** How a leader feeds its peers: heartbeats, appends within a window, snapshot chunks, and the order to take over. */
import { assert } from '../../lib/assert.ts';
import { limits } from '../../lib/limits.ts';
import type { ReplicaId } from '../../lib/ids.ts';
import type { Peer } from './progress.ts';
import { beginRound } from './quorum.ts';
import type { RaftState } from './state.ts';

/** Once per Ready: everything that the inputs since the last one made necessary, in one pass over the peers. */
export function flushLeader(s: RaftState): void {
  if (s.role !== 'leader') return;
  if (s.wantHeartbeat) {
    s.wantHeartbeat = false;
    beginRound(s);
    s.successor = chooseSuccessor(s);
    s.nextHeartbeatMs = s.nowMs + s.config.heartbeatMs;
    for (const peer of s.peers.values()) heartbeat(s, peer);
  }
  if (s.wantAppend) {
    s.wantAppend = false;
    for (const peer of s.peers.values()) feed(s, peer);
  }
}

function heartbeat(s: RaftState, peer: Peer): void {
  const { feeding } = peer;
  if (feeding.mode === 'probe') feeding.paused = false;
  if (feeding.mode === 'snapshot') {
    feeding.paused = false;
    sendChunk(s, peer);
    // An empty append at the beginning of the log always matches: it carries the round and keeps the follower following.
    return sendAppend(s, peer, 0, 0, false);
  }
  const prevIndex = peer.next - 1;
  const prevTerm = s.log.termAt(prevIndex);
  if (prevTerm === undefined) return startSnapshot(s, peer);
  sendAppend(s, peer, prevIndex, prevTerm, false);
}

function sendAppend(
  s: RaftState,
  peer: Peer,
  prevIndex: number,
  prevTerm: number,
  withEntries: boolean,
): void {
  const entries = withEntries ? s.log.slice(prevIndex + 1, s.log.lastIndex, limits.raftAppendBytes) : [];
  s.send(peer.id, {
    kind: 'append',
    prevIndex,
    prevTerm,
    entries,
    commit: s.log.commit,
    round: s.round,
    successor: s.successor,
  });
  const last = entries.at(-1);
  if (last !== undefined && peer.feeding.mode === 'replicate') peer.sent(last.index);
}

/** Sends a peer what it lacks, as far as its window allows. */
export function feed(s: RaftState, peer: Peer): void {
  for (;;) {
    const { feeding } = peer;
    if (feeding.mode === 'snapshot') return sendChunk(s, peer);
    const prevIndex = peer.next - 1;
    const prevTerm = s.log.termAt(prevIndex);
    if (prevTerm === undefined) return startSnapshot(s, peer);
    if (feeding.mode === 'probe') {
      if (feeding.paused) return;
      feeding.paused = true;
      return sendAppend(s, peer, prevIndex, prevTerm, true);
    }
    if (peer.next > s.log.lastIndex || !peer.hasRoom) return;
    sendAppend(s, peer, prevIndex, prevTerm, true);
  }
}

function startSnapshot(s: RaftState, peer: Peer): void {
  const { snapshot } = s.log;
  assert(snapshot !== undefined, 'a compacted log has a snapshot');
  peer.becomeSnapshot(snapshot.index, snapshot.term);
  sendChunk(s, peer);
}

/** One chunk at a time; a heartbeat unpauses, so a lost one is repeated. */
export function sendChunk(s: RaftState, peer: Peer): void {
  const { feeding } = peer;
  if (feeding.mode !== 'snapshot' || feeding.paused) return;
  const { snapshot } = s.log;
  if (snapshot === undefined) return;
  if (snapshot.index !== feeding.index || snapshot.term !== feeding.term) {
    // A newer snapshot took the place of the one that was being sent.
    peer.becomeSnapshot(snapshot.index, snapshot.term);
    return sendChunk(s, peer);
  }
  feeding.paused = true;
  s.send(peer.id, {
    kind: 'snapshot',
    index: snapshot.index,
    lastTerm: snapshot.term,
    offset: feeding.offset,
    total: snapshot.data.length,
    data: snapshot.data.subarray(feeding.offset, feeding.offset + limits.chunkBytes),
    round: s.round,
  });
}

/** Highest durable index, then id; among voters that were heard within an election timeout. */
function chooseSuccessor(s: RaftState): ReplicaId | '' {
  let best: Peer | undefined;
  for (const peer of s.peers.values()) {
    if (!peer.voter || s.nowMs - peer.lastHeardMs > s.config.electionTimeoutMs) continue;
    if (best === undefined || peer.match > best.match || (peer.match === best.match && peer.id < best.id))
      best = peer;
  }
  return best?.id ?? '';
}

export function continueTransfer(s: RaftState): void {
  const { transfer } = s;
  if (transfer === undefined || transfer.sent) return;
  if (s.peers.get(transfer.to)?.match !== s.log.lastIndex) return;
  transfer.sent = true;
  s.send(transfer.to, { kind: 'timeout-now' });
}
