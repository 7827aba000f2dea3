/**
 * Lazy reconstruction and withdrawal, as promised in DESIGN ("What property-based tests must show"): random histories of
 * registrations, calls, crashes, partitions, delays and failovers over the production cores. R2–R4 and R7 are checked at
 * every step (promises.ts), R1, R5 and R6 after faults have stopped.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Cluster, type ClusterSize } from './cluster.ts';
import { anyStep, controlPlaneStep, take } from './steps.ts';

/** R6: the bound on the way back to rest. */
const SETTLE_MS = 40_000;
const STILL_MS = 1_000;

const size: fc.Arbitrary<ClusterSize> = fc.record({
  workers: fc.integer({ min: 1, max: 5 }),
  dataPlanes: fc.integer({ min: 1, max: 2 }),
  servers: fc.integer({ min: 1, max: 2 }),
});

/** Faults stop; everything must come to rest, of one mind, and stay so. */
function expectRest(cluster: Cluster): void {
  cluster.network.healAll();
  cluster.leader?.restoreBus();
  for (const worker of cluster.liveWorkers()) worker.failingStarts = 0;
  for (const id of cluster.workerIds) cluster.startWorker(id);
  for (const id of cluster.dataPlaneIds) cluster.startDataPlane(id);
  const untilMs = cluster.nowMs + SETTLE_MS;
  let stillMs = 0;
  while (cluster.nowMs < untilMs && stillMs < STILL_MS) {
    cluster.run(100);
    stillMs = cluster.unsettled() === undefined ? stillMs + 100 : 0;
  }
  expect(cluster.unsettled()).toBeUndefined();
}

describe('a leader that knows nothing', () => {
  test('keeps what there is, loses nothing and comes to rest, whatever happens', () => {
    fc.assert(
      fc.property(fc.nat(), size, fc.array(anyStep, { minLength: 5, maxLength: 40 }), (seed, of, steps) => {
        const cluster = new Cluster(seed, of);
        for (const step of steps) take(cluster, step);
        expectRest(cluster);
      }),
      { seed: 1, numRuns: 300 },
    );
  });
});
