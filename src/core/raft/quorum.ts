/**
 * What a majority of voters has confirmed: commitment, and rounds of contact.
 *
 *   Q1  an entry commits when a majority of voters holds it durably and it is of the leader's own term (Raft, figure 8);
 *   Q2  every message of the leader carries a confirmation round; CheckQuorum and ReadIndex count echoes of rounds;
 *   Q3  a replica without a vote counts for nothing here.
 */
import type { Peer } from './progress.ts';
import { serveConfirmedReads } from './reads.ts';
import { becomeFollower } from './roles.ts';
import type { RaftState } from './state.ts';

const MAX_ROUND_STARTS = 256;

export function tickLeader(s: RaftState): void {
  if (s.config.members.length === 1) s.quorumContactMs = s.nowMs;
  if (s.nowMs - s.quorumContactMs > s.config.electionTimeoutMs) return becomeFollower(s, s.term, '');
  if (s.transfer !== undefined && s.nowMs >= s.transfer.deadlineMs) s.transfer = undefined;
  if (s.nowMs >= s.nextHeartbeatMs) s.wantHeartbeat = true;
}

export function beginRound(s: RaftState): void {
  s.round++;
  // Full: the oldest are kept, because they are confirmed first. A leader that begins rounds faster than they are answered
  // would forget each start before its echo, and step down while everybody follows it.
  if (s.roundStarts.length < MAX_ROUND_STARTS) s.roundStarts.push({ round: s.round, startMs: s.nowMs });
  confirmRounds(s);
}

/** Q2: a peer that answers in our term followed us at the moment the round began. */
export function noteRound(s: RaftState, peer: Peer, round: number): void {
  if (round <= peer.ackedRound) return;
  peer.ackedRound = Math.min(round, s.round);
  confirmRounds(s);
}

function confirmRounds(s: RaftState): void {
  const acks = [s.round];
  for (const peer of s.peers.values()) if (peer.voter) acks.push(peer.ackedRound);
  if (acks.length < s.quorum) return;
  const confirmed = acks.sort((a, b) => b - a)[s.quorum - 1] ?? 0;
  if (confirmed <= s.confirmedRound) return;
  s.confirmedRound = confirmed;
  while (s.roundStarts.length > 0 && (s.roundStarts[0]?.round ?? 0) <= confirmed) {
    s.quorumContactMs = Math.max(s.quorumContactMs, s.roundStarts.shift()?.startMs ?? 0);
  }
  serveConfirmedReads(s);
}

/** Q1. */
export function maybeCommit(s: RaftState): void {
  if (s.role !== 'leader') return;
  const matches = [s.log.durable];
  for (const peer of s.peers.values()) if (peer.voter) matches.push(peer.match);
  if (matches.length < s.quorum) return;
  const candidate = matches.sort((a, b) => b - a)[s.quorum - 1] ?? 0;
  if (candidate <= s.log.commit || s.log.termAt(candidate) !== s.term) return;
  s.log.commitTo(candidate);
  serveConfirmedReads(s);
  // Followers apply as soon as they hear: their answers and their snapshots should not wait for a heartbeat. An append that is
  // about to go, or that waits for room, tells them as well; should its place never come free, the next heartbeat does.
  for (const peer of s.peers.values()) if (peer.hasBeenSentAll(s.log.lastIndex)) s.wantHeartbeat = true;
}
