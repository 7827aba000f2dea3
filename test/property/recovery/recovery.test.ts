/**
 * Lazy reconstruction and withdrawal, as promised in DESIGN ("What property-based tests must show"): random histories of
 * registrations, calls, crashes, partitions, delays and failovers over the production cores. R2–R4 and R7 are checked at
 * every step (promises.ts), R1, R5 and R6 after faults have stopped.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Cluster, type ClusterSize } from './cluster.ts';
import { whatIsWrong } from './rest.ts';
import { controlPlaneHistories, FUNCTIONS, histories, take } from './steps.ts';

const size: fc.Arbitrary<ClusterSize> = fc.record({
  workers: fc.integer({ min: 1, max: 6 }),
  dataPlanes: fc.integer({ min: 1, max: 3 }),
  servers: fc.integer({ min: 1, max: 2 }),
});

describe('a leader that knows nothing', () => {
  test('keeps what there is and comes to rest, whatever happens', () => {
    fc.assert(
      fc.property(fc.nat(), size, histories, (seed, of, steps) => {
        const cluster = new Cluster(seed, of);
        for (const step of steps) take(cluster, step);
        expect(whatIsWrong(cluster)).toBeUndefined();
      }),
      { seed: 1, numRuns: 400 },
    );
  });

  test('ends nothing, fails nothing and starts no second fleet while only the control plane suffers', () => {
    fc.assert(
      fc.property(fc.nat(), size, controlPlaneHistories, (seed, of, steps) => {
        const cluster = new Cluster(seed, of);
        for (const name of FUNCTIONS) cluster.register(name, { min: 2, hardLimit: 0, target: 100 }, false);
        cluster.run(5_000);
        const fleet = cluster.liveWorkers().flatMap(({ core }) => [...core.sandboxes.keys()]);
        expect(fleet).toHaveLength(2 * FUNCTIONS.length);
        for (const step of steps) take(cluster, step);
        expect(whatIsWrong(cluster)).toBeUndefined();
        expect(cluster.liveWorkers().flatMap(({ core }) => [...core.sandboxes.keys()])).toEqual(fleet);
        expect(cluster.requests.filter(({ outcome }) => outcome !== 'ok')).toEqual([]);
        expect(cluster.promises.started.size).toBe(fleet.length);
      }),
      { seed: 2, numRuns: 200 },
    );
  });
});
