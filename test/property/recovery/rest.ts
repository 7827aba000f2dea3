/** R1, R5 and R6: faults stop; everything must come to rest, of one mind, stay so, and serve. */
import type { Cluster } from './cluster.ts';

/** R6: the bound on the way back. */
const SETTLE_MS = 20_000;
const STILL_MS = 1_000;

/** Undefined: nothing is. */
export function whatIsWrong(cluster: Cluster): string | undefined {
  cluster.endFaults();
  const unsettled = cluster.settle(SETTLE_MS, STILL_MS);
  if (unsettled !== undefined) return unsettled;
  const unserved = cluster.callEverything();
  if (unserved.length > 0) return unserved.join(', ');
  return cluster.settle(SETTLE_MS, STILL_MS);
}
