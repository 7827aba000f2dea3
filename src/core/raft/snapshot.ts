/** Snapshots travel in chunks bound to one index and term; a lost chunk is sent again, a transfer resumes where it was. */
import type { ReplicaId } from '../../lib/ids.ts';
import { feed, sendChunk } from './feeding.ts';
import { maybeCommit, noteRound } from './quorum.ts';
import { followLeader } from './replication.ts';
import type { RaftState } from './state.ts';
import type { RaftBody } from './types.ts';

type Chunk = Extract<RaftBody, { kind: 'snapshot' }>;
type ChunkReply = Extract<RaftBody, { kind: 'snapshot-reply' }>;

export function onChunkReply(s: RaftState, from: ReplicaId, reply: ChunkReply): void {
  const peer = s.peers.get(from);
  if (s.role !== 'leader' || peer === undefined) return;
  noteRound(s, peer, reply.round);
  const { feeding } = peer;
  if (feeding.mode !== 'snapshot' || feeding.index !== reply.index) return;
  if (reply.installed) {
    peer.acknowledged(reply.index);
    peer.becomeProbe(reply.index + 1);
    maybeCommit(s);
    return feed(s, peer);
  }
  feeding.offset = reply.offset;
  feeding.paused = false;
  sendChunk(s, peer);
}

export function onChunk(s: RaftState, from: ReplicaId, chunk: Chunk): void {
  followLeader(s, from, chunk.round, s.successor);
  const { index, lastTerm } = chunk;
  // Already here, or being written: the reply waits for that (RaftState.send). Entries after it were acknowledged and stay.
  if (index <= s.log.commit) return reply(s, from, chunk, chunk.total, true);
  if (s.log.termAt(index) === lastTerm && index <= s.log.durable) {
    s.log.commitTo(index);
    return reply(s, from, chunk, chunk.total, true);
  }
  let incoming = s.incoming;
  if (incoming === undefined || incoming.index !== index || incoming.term !== lastTerm) {
    incoming = { index, term: lastTerm, total: chunk.total, parts: [], received: 0 };
    s.incoming = incoming;
  }
  if (chunk.offset !== incoming.received) return reply(s, from, chunk, incoming.received, false);
  incoming.parts.push(chunk.data);
  incoming.received += chunk.data.length;
  if (incoming.received < chunk.total) return reply(s, from, chunk, incoming.received, false);
  s.incoming = undefined;
  s.restoreFrom({ index, term: lastTerm, data: join(incoming.parts, incoming.received) });
  s.matched = index;
  reply(s, from, chunk, chunk.total, true);
}

function reply(s: RaftState, to: ReplicaId, chunk: Chunk, offset: number, installed: boolean): void {
  s.send(to, { kind: 'snapshot-reply', index: chunk.index, offset, installed, round: chunk.round });
}

function join(parts: readonly Uint8Array[], total: number): Uint8Array {
  const whole = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
