/**
 * A replica that was started on an empty or damaged directory has forgotten how it voted. It regains its vote when
 *
 *   J1  every other member told its term, so that no vote it may have given is above what it learned;
 *   J2  the leader gave it a commit index confirmed by a round that began after this rejoin did;
 *   J3  it durably holds the log up to that index, and every artifact that its state names;
 *   J4  and then it votes only in terms above every one it learned.
 */
import type { ReplicaId } from '../../lib/ids.ts';
import { requestRead } from './reads.ts';
import type { RaftState } from './state.ts';
import type { RaftBody } from './types.ts';

export function beginRejoin(s: RaftState, nonce: number): void {
  s.rejoin = {
    nonce,
    answered: new Set(),
    highestTerm: s.term,
    confirmedCommit: 0,
    artifactsReady: false,
    nextAskMs: s.nowMs,
  };
}

export function tickRejoin(s: RaftState): void {
  const { rejoin } = s;
  if (rejoin === undefined) return;
  if (s.nowMs >= rejoin.nextAskMs) {
    rejoin.nextAskMs = s.nowMs + s.config.electionTimeoutMs;
    for (const peer of s.peers.keys()) s.send(peer, { kind: 'rejoin-request', nonce: rejoin.nonce });
  }
  finishRejoin(s);
}

export function onRejoinRequest(s: RaftState, from: ReplicaId, nonce: number): void {
  s.send(from, { kind: 'rejoin-reply', nonce, confirmedCommit: 0 });
  requestRead(s, { kind: 'rejoin', peer: from, nonce });
}

export function onRejoinReply(
  s: RaftState,
  from: ReplicaId,
  term: number,
  reply: Extract<RaftBody, { kind: 'rejoin-reply' }>,
): void {
  const { rejoin } = s;
  if (rejoin === undefined || reply.nonce !== rejoin.nonce) return;
  rejoin.answered.add(from);
  rejoin.highestTerm = Math.max(rejoin.highestTerm, term);
  if (reply.confirmedCommit > 0)
    rejoin.confirmedCommit = Math.max(rejoin.confirmedCommit, reply.confirmedCommit);
  finishRejoin(s);
}

function finishRejoin(s: RaftState): void {
  const { rejoin } = s;
  if (rejoin === undefined || !rejoin.artifactsReady) return;
  if (rejoin.answered.size < s.peers.size || rejoin.confirmedCommit === 0) return;
  if (s.log.commit < rejoin.confirmedCommit || s.log.durable < rejoin.confirmedCommit) return;
  s.rejoin = undefined;
  s.setIdentity(true, Math.max(rejoin.highestTerm, s.term));
}
