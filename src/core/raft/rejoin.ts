/**
 * A replica that was started on an empty or damaged directory has forgotten how it voted. It regains its vote when
 *
 *   J1  every other member told its term, so that no vote it may have given is above what it learned;
 *   J2  the leader gave it a commit index confirmed by a round that began after this rejoin did;
 *   J3  it durably holds the log up to that index, and every artifact that its state names;
 *   J4  and then it votes only in terms above every one it learned.
 *
 * After `recover --force` the members speak under a higher epoch, which a replica that holds nothing learns from them. One that
 * holds a log of the old epoch does not: an entry of that log may bear the index and term of another one now.
 */
import type { ReplicaId } from '../../lib/ids.ts';
import type { Incarnation } from '../model/fence.ts';
import { requestRead } from './reads.ts';
import type { RaftState } from './state.ts';
import type { RaftBody, RaftMessage } from './types.ts';

export function beginRejoin(s: RaftState, nonce: number): void {
  s.rejoin = {
    nonce,
    answered: new Set(),
    highestTerm: s.term,
    confirmedCommit: 0,
    artifactsUpTo: 0,
    nextAskMs: s.nowMs,
  };
}

/**
 * A message of another epoch. @returns whether to go on with it: only where this replica just learned that epoch
 */
export function bridgeEpochs(s: RaftState, message: RaftMessage): boolean {
  if (message.epoch < s.epoch) {
    if (message.body.kind === 'rejoin-request') {
      replyTo(s, message.from, message.body.nonce);
    }
    return false;
  }
  if (s.rejoin === undefined || s.log.lastIndex > 0) return false;
  s.setEpoch(message.epoch);
  // What was answered so far was answered under the old epoch.
  beginRejoin(s, s.rejoin.nonce);
  return true;
}

function replyTo(s: RaftState, to: ReplicaId, nonce: number, knownIncarnationMs = 0): void {
  s.send(to, { kind: 'rejoin-reply', nonce, confirmedCommit: 0, knownIncarnationMs });
}

/**
 * A message of an earlier life of its sender, or of a twin. A replica that lost its directory has lost its last incarnation
 * with it, and where its clock was set back meanwhile all that it says looks like this: it is told, and takes a later one.
 */
export function onEarlierLife(s: RaftState, { from, body }: RaftMessage, known: Incarnation): void {
  if (body.kind === 'rejoin-request') replyTo(s, from, body.nonce, known.ms);
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
  replyTo(s, from, nonce);
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
  if (reply.knownIncarnationMs >= s.incarnation.ms) {
    s.setIncarnation(reply.knownIncarnationMs + 1);
    rejoin.nextAskMs = s.nowMs;
    return;
  }
  rejoin.answered.add(from);
  rejoin.highestTerm = Math.max(rejoin.highestTerm, term);
  // The first will do (J2); later ones would run ahead of us as fast as functions are registered.
  if (rejoin.confirmedCommit === 0) rejoin.confirmedCommit = reply.confirmedCommit;
  finishRejoin(s);
}

export function onArtifacts(s: RaftState, appliedIndex: number): void {
  if (s.rejoin === undefined) return;
  s.rejoin.artifactsUpTo = Math.max(s.rejoin.artifactsUpTo, appliedIndex);
  finishRejoin(s);
}

function finishRejoin(s: RaftState): void {
  const { rejoin } = s;
  if (rejoin === undefined || rejoin.answered.size < s.peers.size || rejoin.confirmedCommit === 0) return;
  if (rejoin.artifactsUpTo < rejoin.confirmedCommit) return;
  if (s.log.commit < rejoin.confirmedCommit || s.log.durable < rejoin.confirmedCommit) return;
  s.rejoin = undefined;
  s.setVoter(true, Math.max(rejoin.highestTerm, s.term));
}
