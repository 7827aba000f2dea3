/**
 * Elections: PreVote with leader stickiness, votes in a set by voter id, hints that start an election early.
 *
 *   E1  a vote is given once a term, to a log at least as complete, by a replica that has a vote, and is durable before it
 *       leaves (RaftState S1);
 *   E2  while a leader is known and not gone, neither PreVote nor Vote is granted, except to a forced (transfer) request;
 *   E3  a hint starts an election early and decides nothing: a voter asked with the hint flag probes for itself;
 *   E4  granted votes are counted by voter id, so a duplicate elects nobody.
 */
import type { ReplicaId } from '../../lib/ids.ts';
import {
  becomeCandidate,
  becomeFollower,
  becomeLeader,
  becomePreCandidate,
  resetElectionTimer,
} from './roles.ts';
import type { RaftState, VoteRequest } from './state.ts';
import type { RaftBody } from './types.ts';

/** How long a voter waits for its own probe before it refuses. */
const PROBE_WAIT_MS = 250;

function mayCampaign(s: RaftState): boolean {
  return s.voter && s.term + 1 > s.votesAboveTerm && s.role !== 'leader' && !s.failed;
}

export function tickElection(s: RaftState): void {
  for (const [peer, deferred] of s.deferredVotes) {
    if (s.nowMs >= deferred.untilMs) answerDeferred(s, peer, false);
  }
  if (s.role === 'leader' || s.nowMs < s.electionDeadlineMs) return;
  if (!mayCampaign(s)) return resetElectionTimer(s);
  startPreVote(s, s.leaderGone);
}

export function startPreVote(s: RaftState, hint: boolean): void {
  if (!mayCampaign(s)) return;
  s.campaignHint = hint;
  s.campaignForce = false;
  becomePreCandidate(s);
  if (s.votes.size >= s.quorum) return startVote(s);
  ask(s, true);
}

export function startVote(s: RaftState): void {
  becomeCandidate(s);
  ask(s, false);
}

function ask(s: RaftState, pre: boolean): void {
  const { lastIndex, lastTerm } = s.log;
  for (const peer of s.peers.keys()) {
    s.send(peer, {
      kind: 'vote-request',
      pre,
      lastIndex,
      lastTerm,
      hint: s.campaignHint,
      force: s.campaignForce,
    });
  }
}

/** Our own vote became durable. */
export function countOwnVote(s: RaftState): void {
  if (s.role !== 'candidate' || s.vote !== s.id || !s.isHardDurable) return;
  s.votes.set(s.id, true);
  tally(s);
}

function tally(s: RaftState): void {
  let granted = 0;
  for (const yes of s.votes.values()) if (yes) granted++;
  if (granted >= s.quorum) {
    if (s.role === 'pre-candidate') startVote(s);
    else becomeLeader(s);
  } else if (s.votes.size - granted > s.peers.size + 1 - s.quorum) {
    becomeFollower(s, s.term, '');
  }
}

/** E2: there is a leader, as far as this replica can tell. */
function isLeaderFresh(s: RaftState): boolean {
  if (s.role === 'leader') return true;
  return s.leader !== '' && !s.leaderGone && s.nowMs - s.leaderContactMs < s.config.electionTimeoutMs;
}

export function onVoteRequest(s: RaftState, from: ReplicaId, term: number, request: VoteRequest): void {
  if (isLeaderFresh(s) && !request.force) {
    if (request.hint && s.role === 'follower' && s.leader !== from) {
      s.deferredVotes.set(from, { request, term, untilMs: s.nowMs + PROBE_WAIT_MS });
      if (s.leader !== '') s.probe = s.leader;
      return;
    }
    // An alive leader that is asked with a hint shows itself.
    if (s.role === 'leader') s.wantHeartbeat = true;
    return refuse(s, from, term, request);
  }
  answerVote(s, from, term, request);
}

function refuse(s: RaftState, from: ReplicaId, term: number, request: VoteRequest): void {
  s.send(from, {
    kind: 'vote-reply',
    pre: request.pre,
    granted: false,
    asked: request.pre ? term + 1 : term,
  });
}

function answerVote(s: RaftState, from: ReplicaId, term: number, request: VoteRequest): void {
  const asked = request.pre ? term + 1 : term;
  if (!request.pre && term > s.term) becomeFollower(s, term, '');
  const complete = s.log.isUpToDate(request.lastIndex, request.lastTerm);
  const mayVote = s.voter && asked > s.votesAboveTerm;
  let granted: boolean;
  if (request.pre) {
    granted = mayVote && complete && asked > s.term;
  } else {
    const free = s.vote === from || (s.vote === '' && s.leader === '');
    granted = mayVote && complete && term === s.term && free;
    if (granted) {
      s.setVote(from);
      resetElectionTimer(s);
    }
  }
  s.send(from, { kind: 'vote-reply', pre: request.pre, granted, asked });
}

export function onVoteReply(
  s: RaftState,
  from: ReplicaId,
  reply: Extract<RaftBody, { kind: 'vote-reply' }>,
): void {
  const expected = s.role === 'pre-candidate' ? s.term + 1 : s.term;
  const fits = reply.pre ? s.role === 'pre-candidate' : s.role === 'candidate';
  if (!fits || reply.asked !== expected) return;
  s.votes.set(from, reply.granted);
  tally(s);
}

/** Two "no responders" in a row, or the server's own word: the leader is gone, until anything comes from it (E3). */
export function onHint(s: RaftState, leader: ReplicaId): void {
  if (s.role !== 'follower' || s.leader !== leader || s.leaderGone || !s.voter) return;
  s.leaderGone = true;
  if (s.successor === s.id) return startPreVote(s, true);
  const wait = s.config.successorGraceMs * (1 + s.config.random.float());
  s.electionDeadlineMs = Math.min(s.electionDeadlineMs, s.nowMs + wait);
}

export function onProbeResult(s: RaftState, leader: ReplicaId, gone: boolean): void {
  if (gone) onHint(s, leader);
  for (const peer of s.deferredVotes.keys()) answerDeferred(s, peer, gone);
}

function answerDeferred(s: RaftState, from: ReplicaId, gone: boolean): void {
  const deferred = s.deferredVotes.get(from);
  if (deferred === undefined) return;
  s.deferredVotes.delete(from);
  if (gone || !isLeaderFresh(s)) answerVote(s, from, deferred.term, deferred.request);
  else refuse(s, from, deferred.term, deferred.request);
}

export function onTimeoutNow(s: RaftState, from: ReplicaId): void {
  if (s.role !== 'follower' || s.leader !== from || !mayCampaign(s)) return;
  s.campaignHint = false;
  s.campaignForce = true;
  startVote(s);
}
