/**
 * Every mutant, in the order in which they are hunted. Of the Raft bugs found in the wild (1 to 19):
 *
 *   1 term-and-vote-apart · 2 reply-before-vote · 3 volatile-vote · 4 read-before-own-commit · 5 prevote-stuck-across-terms
 *   7 late-vote-counted · 8 repeated-request-refused · 9 match-begins-at-last-index · 10 votes-without-ids
 *   11 shutdown-deletes-vote · 12 leader-never-steps-down · 13 applied-index-apart · 14 own-entry-counted-early
 *   15 commit-beyond-log · 17 old-term-committed · 18 heartbeat-clears-vote
 *   19 no-prevote, no-stickiness, leader-never-steps-down
 *
 * Not planted: 6 (PreVote deadlocks while a cluster is upgraded: no version of this one is without PreVote, so there is nothing
 * to upgrade from) and 16 (a stream of watched events loses some: there is no watch; what data planes hear is the endpoint
 * stream, whose bugs are in the group `recovery`). Nor what makes no difference: that echoes of a replica without a vote count
 * (whoever does without its vote has no quorum), and that a sandbox of a function not applied yet is swept (the no-op of a
 * leader's term comes after every function that anybody has a sandbox of).
 */
import type { Mutant } from './mutant.ts';
import { draining } from './recovery/draining.ts';
import { followers } from './recovery/followers.ts';
import { greatFleet } from './recovery/great-fleet.ts';
import { leader } from './recovery/leader.ts';
import { elections } from './raft/elections.ts';
import { metadata } from './raft/metadata.ts';
import { reads } from './raft/reads.ts';
import { rejoin } from './raft/rejoin.ts';
import { replication } from './raft/replication.ts';
import { storage } from './raft/storage.ts';
import { autoscaler } from './scaling/autoscaler.ts';
import { placement } from './scaling/placement.ts';

export const mutants: readonly Mutant[] = [
  ...elections,
  ...replication,
  ...reads,
  ...rejoin,
  ...storage,
  ...metadata,
  ...leader,
  ...followers,
  ...greatFleet,
  ...draining,
  ...placement,
  ...autoscaler,
];
