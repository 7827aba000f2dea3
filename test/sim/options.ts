/** One seed draws the topology, the timings and the mix of faults. */
import { prng } from '../../src/lib/prng.ts';

export type FaultKind =
  | 'crash-leader'
  | 'crash-replica'
  | 'crash-worker'
  | 'crash-data-plane'
  | 'partition'
  | 'one-way-cut'
  | 'loss'
  | 'slow-network'
  | 'leader-disconnect'
  | 'lost-disk';

export interface SimOptions {
  readonly seed: number;
  readonly replicas: number;
  readonly dataPlanes: number;
  readonly workers: number;
  readonly functions: number;
  /** Mean start latency of a sandbox. */
  readonly startMs: number;
  readonly faultsEveryMs: number;
  readonly faultyMs: number;
  readonly faults: readonly FaultKind[];
  /** Plants the bug that an fsync is believed too early, to show that the oracles see it. */
  readonly lyingDisks: boolean;
}

const OTHERS: readonly FaultKind[] = [
  'crash-replica',
  'crash-worker',
  'crash-data-plane',
  'partition',
  'one-way-cut',
  'loss',
  'slow-network',
  'leader-disconnect',
  'lost-disk',
];

export function drawOptions(seed: number): SimOptions {
  const random = prng(`options/${seed}`);
  return {
    seed,
    replicas: random.below(5) === 0 ? 5 : 3,
    dataPlanes: 1 + random.below(2),
    workers: 2 + random.below(3),
    functions: 2 + random.below(3),
    startMs: 5 + random.below(40),
    faultsEveryMs: 400 + random.below(900),
    faultyMs: 3_000 + random.below(2_500),
    // A run without a killed leader shows nothing about what this is for.
    faults: ['crash-leader', 'crash-leader', ...OTHERS.filter(() => random.below(2) === 0)],
    lyingDisks: false,
  };
}
