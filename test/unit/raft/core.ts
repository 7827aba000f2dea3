/** A Raft core of three, alone: everything that it is told comes from the test. */
import { Raft } from '../../../src/core/raft/raft.ts';
import { replicaId, type ReplicaId } from '../../../src/lib/ids.ts';
import { prng } from '../../../src/lib/prng.ts';

export const MEMBERS: readonly [ReplicaId, ReplicaId, ReplicaId] = [
  replicaId('r1'),
  replicaId('r2'),
  replicaId('r3'),
];
export const ELECTION_TIMEOUT_MS = 300;

export interface CoreOptions {
  readonly id?: ReplicaId;
  readonly incarnation?: { readonly ms: number; readonly nonce: number };
  readonly term?: number;
  readonly voter?: boolean;
  readonly nowMs?: number;
}

/** Without entries; by default r1 in its first life, with a vote, in no term. */
export function core({
  id = MEMBERS[0],
  incarnation = { ms: 1, nonce: 1 },
  term = 0,
  voter = true,
  nowMs = 0,
}: CoreOptions = {}): Raft {
  return new Raft(
    {
      cluster: 'c',
      id,
      members: MEMBERS,
      epoch: 1,
      incarnation,
      electionTimeoutMs: ELECTION_TIMEOUT_MS,
      heartbeatMs: 50,
      successorGraceMs: 30,
      commandVersion: 1,
      random: prng(1),
    },
    { hardState: { term, vote: '', commit: 0 }, snapshot: undefined, entries: [], voter, votesAboveTerm: 0 },
    nowMs,
  );
}
