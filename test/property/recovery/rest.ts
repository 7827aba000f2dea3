/** R1, R5 and R6: faults stop; everything must come to rest, of one mind, stay so, and serve. */
import { expect } from 'vitest';
import type { Cluster } from './cluster.ts';

/** R6: the bound on the way back. */
const SETTLE_MS = 20_000;
const STILL_MS = 1_000;

export function expectRest(cluster: Cluster): void {
  cluster.endFaults();
  expect(cluster.settle(SETTLE_MS, STILL_MS)).toBeUndefined();
  expect(cluster.callEverything()).toEqual([]);
  expect(cluster.settle(SETTLE_MS, STILL_MS)).toBeUndefined();
}
