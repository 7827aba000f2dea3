/**
 * Appends: a follower checks, writes and acknowledges; the leader hears.
 *
 *   P1  an acknowledged index is durable on the follower and matches the leader's log.
 */
import type { ReplicaId } from '../../lib/ids.ts';
import { continueTransfer, feed } from './feeding.ts';
import type { Peer } from './progress.ts';
import { maybeCommit, noteRound } from './quorum.ts';
import { becomeFollower, resetElectionTimer } from './roles.ts';
import type { RaftState } from './state.ts';
import type { RaftBody } from './types.ts';

type Append = Extract<RaftBody, { kind: 'append' }>;
type AppendReply = Extract<RaftBody, { kind: 'append-reply' }>;

export function onAppendReply(s: RaftState, from: ReplicaId, reply: AppendReply): void {
  const peer = s.peers.get(from);
  if (s.role !== 'leader' || peer === undefined) return;
  noteRound(s, peer, reply.round);
  if (!reply.ok) return onRefused(s, peer, reply);
  if (peer.feeding.mode === 'snapshot') return;
  const before = peer.match;
  const advanced = peer.acknowledged(Math.min(reply.index, s.log.lastIndex));
  if (peer.feeding.mode === 'probe' && (advanced || reply.index >= peer.next - 1)) {
    peer.match = Math.max(before, Math.min(reply.index, s.log.lastIndex));
    peer.becomeReplicate();
  }
  if (advanced) maybeCommit(s);
  continueTransfer(s);
  if (peer.next <= s.log.lastIndex) feed(s, peer);
}

function onRefused(s: RaftState, peer: Peer, reply: AppendReply): void {
  const { feeding } = peer;
  if (feeding.mode === 'snapshot' || reply.refused <= peer.match) return;
  if (feeding.mode === 'probe' && reply.refused !== peer.next - 1) return;
  const meet = s.log.findConflict(reply.index, reply.hintTerm);
  peer.becomeProbe(meet.index + 1);
  feed(s, peer);
}

export function onAppend(s: RaftState, from: ReplicaId, append: Append): void {
  followLeader(s, from, append.round, append.successor);
  const { prevIndex, prevTerm, entries } = append;
  const lastNew = prevIndex + entries.length;
  if (prevIndex < s.log.firstIndex - 1) {
    // Compacted here, therefore committed, therefore equal.
    s.matched = Math.max(s.matched, prevIndex === 0 && entries.length === 0 ? 0 : s.log.commit);
    return acknowledge(s, from);
  }
  if (s.log.termAt(prevIndex) !== prevTerm) {
    const hint = s.log.findConflict(prevIndex, prevTerm);
    return s.send(from, {
      kind: 'append-reply',
      ok: false,
      index: hint.index,
      hintTerm: hint.term,
      refused: prevIndex,
      round: append.round,
    });
  }
  const written = s.log.merge(entries);
  if (written > 0) s.wrote(written);
  s.matched = Math.max(s.matched, lastNew);
  s.log.commitTo(Math.min(append.commit, lastNew));
  // With something to write, the acknowledgement follows its fsync.
  if (written === 0 || s.log.durable >= lastNew) acknowledge(s, from);
}

export function followLeader(s: RaftState, from: ReplicaId, round: number, successor: ReplicaId | ''): void {
  if (s.role !== 'follower' || s.leader !== from) becomeFollower(s, s.term, from);
  s.leaderContactMs = s.nowMs;
  s.leaderGone = false;
  s.leaderRound = Math.max(s.leaderRound, round);
  s.successor = successor;
  resetElectionTimer(s);
}

/** P1. */
function acknowledge(s: RaftState, leader: ReplicaId): void {
  const index = Math.min(s.log.durable, s.matched);
  s.lastAcked = index;
  s.send(leader, { kind: 'append-reply', ok: true, index, hintTerm: 0, refused: 0, round: s.leaderRound });
}

/** The store confirmed a write: what the leader waits for. */
export function acknowledgeDurable(s: RaftState): void {
  if (s.role !== 'follower' || s.leader === '') return;
  if (Math.min(s.log.durable, s.matched) > s.lastAcked) acknowledge(s, s.leader);
}
