/**
 * Lazy reconstruction and withdrawal, as promised in DESIGN ("What property-based tests must show"): random histories of
 * registrations, calls, crashes, partitions, delays and failovers over the production cores. R2–R5 and R7 are checked at
 * every step (promises.ts), R1, R2, R5 and R6 after faults have stopped (rest.ts). The roles play them in roles.test.ts.
 */
import { describe, expect, test } from 'vitest';
import { Cluster } from './cluster.ts';
import { FUNCTIONS } from './functions.ts';
import type { SandboxId } from '../../../src/lib/ids.ts';
import {
  anyHistory,
  controlPlaneHistory,
  maintenanceHistory,
  ownershipHistory,
  type History,
} from './histories.ts';
import { whatIsWrong } from './rest.ts';
import { assertHistories, runToRest } from './run.ts';
import { finish } from './stage.ts';
import { take } from './steps.ts';

describe('a leader that knows nothing', () => {
  test('keeps what there is and comes to rest, whatever happens', () => {
    assertHistories(anyHistory, (history) => void runToRest(history), { seed: 1, runs: 150 });
  });

  test('ends nothing, fails nothing and starts no second fleet while only the control plane suffers', () => {
    assertHistories(
      controlPlaneHistory,
      (history) => {
        const cluster = serving(history);
        const fleet = sandboxes(cluster);
        expect(fleet).toHaveLength(2 * FUNCTIONS.length);
        for (const step of history.steps) take(cluster, step);
        expect(finish(whatIsWrong(cluster))).toBeUndefined();
        expect(sandboxes(cluster)).toEqual(fleet);
        expect(cluster.requests.filter(({ outcome }) => outcome !== 'ok')).toEqual([]);
        expect(cluster.promises.started.size).toBe(fleet.length);
      },
      { seed: 2, runs: 70 },
    );
  });

  test('fails nothing while workers are drained, and at last has moved all that is wanted', () => {
    let moved = 0;
    assertHistories(
      maintenanceHistory,
      (history) => {
        const cluster = serving(history);
        for (const step of history.steps) take(cluster, step);
        expect(finish(whatIsWrong(cluster))).toBeUndefined();
        expect(cluster.requests.filter(({ outcome }) => outcome !== 'ok')).toEqual([]);
        moved += cluster.promises.started.size - sandboxes(cluster).length;
      },
      { seed: 4, runs: 70 },
    );
    expect(moved).toBeGreaterThan(50);
  });

  test('never lets two data planes use a hard limit at once', () => {
    assertHistories(ownershipHistory, (history) => void runToRest(history), { seed: 3, runs: 60 });
  });
});

/** Each function from two sandboxes, with room for every request. */
function serving({ random, of }: History): Cluster {
  const cluster = new Cluster(random, of);
  for (const name of FUNCTIONS)
    cluster.register(name, { min: 2, hardLimit: 0, target: 100 }, { trial: false, insists: true });
  cluster.run(5_000);
  return cluster;
}

function sandboxes(cluster: Cluster): SandboxId[] {
  return cluster.liveWorkers().flatMap(({ core }) => [...core.sandboxes.keys()]);
}
