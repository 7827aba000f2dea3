/** The four roles and the legal ways between them. Every transition is one of these functions. */
import { assert } from '../../lib/assert.ts';
import type { ReplicaId } from '../../lib/ids.ts';
import type { RaftState } from './state.ts';

const NO_DATA: Uint8Array = new Uint8Array(0);

/** any role → follower; a higher term is adopted, an equal one keeps the vote (graft: a heartbeat must not clear it). */
export function becomeFollower(s: RaftState, term: number, leader: ReplicaId | ''): void {
  assert(term >= s.term, 'a follower never goes back in time');
  assert(!(s.role === 'leader' && term === s.term && leader !== ''), 'two leaders in one term');
  const wasLeader = s.role === 'leader';
  const isNewTerm = term > s.term;
  if (isNewTerm) s.setTerm(term);
  if (s.leader !== leader || s.role !== 'follower') s.roleChanged();
  // The same replica may lead again in a later term, with another log and with rounds that begin anew.
  if (isNewTerm || s.leader !== leader) {
    s.matched = 0;
    s.lastAcked = 0;
    s.leaderRound = 0;
    s.leaderGone = false;
    s.incoming = undefined;
  }
  s.role = 'follower';
  s.leader = leader;
  s.votes = new Map();
  if (wasLeader) leaveLeadership(s);
  resetElectionTimer(s);
}

function leaveLeadership(s: RaftState): void {
  for (const read of s.reads) {
    if (read.waiter.kind === 'read') s.readResults.push({ ctx: read.waiter.ctx, index: 0 });
  }
  s.reads = [];
  s.transfer = undefined;
  s.roundStarts = [];
  s.wantAppend = false;
  s.wantHeartbeat = false;
  s.successor = '';
}

/** follower | pre-candidate | candidate → pre-candidate. Nothing durable changes (thesis 9.6). */
export function becomePreCandidate(s: RaftState): void {
  assert(s.role !== 'leader', 'a leader does not campaign');
  assert(s.voter, 'a replica without a vote does not campaign');
  s.role = 'pre-candidate';
  s.leader = '';
  s.votes = new Map([[s.id, true]]);
  s.roleChanged();
  resetElectionTimer(s);
}

/** follower (transfer) | pre-candidate → candidate, in the next term, voting for itself. */
export function becomeCandidate(s: RaftState): void {
  assert(
    s.role === 'pre-candidate' || s.role === 'follower',
    'a candidate was a pre-candidate, or was told to',
  );
  assert(s.voter, 'a replica without a vote does not campaign');
  s.role = 'candidate';
  s.leader = '';
  s.setTerm(s.term + 1);
  s.setVote(s.id);
  // The own vote counts once it is durable.
  s.votes = new Map();
  s.roleChanged();
  resetElectionTimer(s);
}

/** candidate → leader, with a no-op of its own term as the first entry. */
export function becomeLeader(s: RaftState): void {
  assert(s.role === 'candidate', 'only a candidate is elected');
  s.role = 'leader';
  s.leader = s.id;
  s.leaderGone = false;
  s.votes = new Map();
  for (const peer of s.peers.values()) peer.reset(s.log.lastIndex);
  s.termStartIndex = s.log.lastIndex + 1;
  s.round = 0;
  s.confirmedRound = 0;
  s.roundStarts = [];
  s.quorumContactMs = s.nowMs;
  s.nextHeartbeatMs = s.nowMs;
  s.log.append({ index: s.termStartIndex, term: s.term, data: NO_DATA });
  s.wrote(s.termStartIndex);
  s.wantAppend = true;
  s.roleChanged();
}

/**
 * The named successor waits the base timeout, everyone else 50–100 % longer, so that votes do not split. Before a
 * successor is known the usual randomization applies; a campaign that failed is tried again sooner.
 */
export function resetElectionTimer(s: RaftState): void {
  const base = s.config.electionTimeoutMs;
  const random = s.config.random.float();
  let wait: number;
  if (s.role === 'pre-candidate' || s.role === 'candidate') wait = base * (0.5 + 0.5 * random);
  else if (s.leader === '') wait = base * (0.7 + 0.8 * random);
  else if (s.successor === s.id) wait = base;
  else wait = base * (1.5 + 0.5 * random);
  s.electionDeadlineMs = s.nowMs + wait;
}
