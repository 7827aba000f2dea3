/**
 * Seeds that failed once, with the reason and the test that keeps what they showed. A seed's history changes whenever roles,
 * options or the drawing of faults change: it is run again as a habit, and the bug itself is pinned where it is named.
 */
import type { Length } from '../options.ts';

export interface FailedSeed {
  readonly seed: number;
  readonly length: Length;
  /** With the faults that mutants are hunted with. */
  readonly rough?: true;
  /** Others of the same length that failed for the same reason: run by `npm run sim -- --regressions`. */
  readonly also?: readonly number[];
  readonly showed: string;
  /** Undefined: the simulator was wrong, not the system. */
  readonly keptBy: string | undefined;
}

/** Each seed that failed, one by one. */
export function everyFailedSeed(): {
  readonly seed: number;
  readonly length: Length;
  readonly rough: boolean;
}[] {
  return FAILED_SEEDS.flatMap(({ seed, also = [], length, rough = false }) =>
    [seed, ...also].map((one) => ({ seed: one, length, rough })),
  );
}

export const FAILED_SEEDS: readonly FailedSeed[] = [
  {
    seed: 196,
    length: 'quick',
    rough: true,
    showed:
      'a follower that ends with a losing entry exactly where its leader’s log begins, and the leader, repeat the same refusal for ever',
    keptBy: 'test/unit/raft/compacted-conflict.test.ts',
  },
  {
    seed: 20_002,
    length: 'quick',
    showed:
      'names that were changed later were durable before those changed earlier: a journal keeps their order',
    keptBy: undefined,
  },
  {
    seed: 59,
    length: 'long',
    also: [77, 101, 126, 131, 134, 166, 175, 177, 202, 208, 252, 262, 264, 281, 286, 300, 306, 350],
    showed:
      'a replica that lost its directory after its clock was set back is taken for an earlier life of itself, and never heard again',
    keptBy: 'test/unit/raft/incarnation.test.ts',
  },
  {
    seed: 161,
    length: 'long',
    also: [334, 360],
    showed:
      'a data plane that was restarted served from its file what had been replaced in the moment before it died',
    keptBy: 'test/unit/data-plane/ask-first.test.ts',
  },
  {
    seed: 71,
    length: 'long',
    showed: 'a disk that was full when it refused a write may have room again when the refusal is heard of',
    keptBy: undefined,
  },
  {
    seed: 1_566,
    length: 'long',
    showed:
      'a data plane that was restarted after its clock was set back is an earlier life to the leader, which waits for it no more',
    keptBy: 'test/unit/data-plane/life.test.ts',
  },
  {
    seed: 11,
    length: 'quick',
    showed:
      'a data plane that began from its file while nobody led served what had been replaced in the moment before it died, as it is meant to',
    keptBy: undefined,
  },
  {
    seed: 578,
    length: 'quick',
    showed:
      'power went while a lost disk was created anew: a directory without an identity is nobody’s, and no damage',
    keptBy: undefined,
  },
  {
    seed: 419,
    length: 'quick',
    also: [469],
    showed:
      'after an fsync that failed, pages that are not on the disk count as written: a restarted replica found them in the cache, and went on behind them',
    keptBy: 'test/property/log-file/crashes.test.ts',
  },
  {
    seed: 19,
    length: 'long',
    also: [23, 24],
    showed: 'the same, in a long run',
    keptBy: 'test/property/log-file/crashes.test.ts',
  },
  {
    seed: 632,
    length: 'long',
    also: [648],
    showed:
      'a leader’s snapshot may reach up to an entry that its own disk is still writing, as the followers have committed it: nothing is replaced',
    keptBy: undefined,
  },
];
