/** A worker dies with all that it runs: others take the requests, its endpoints go everywhere, and its sandboxes are replaced. */
import { killWorker } from '../faults/outages.ts';
import type { Scenario } from '../scenario.ts';
import { siege } from '../siege.ts';
import { diedWithSandbox } from '../verifiers/excuses.ts';

export const workerKill: Scenario = siege({
  name: 'worker-kill',
  about: 'a worker killed with its sandboxes',
  plan: { workers: 3 },
  strike: killWorker,
  leaderChanges: () => 0,
  isStable: false,
  isExcused: ({ chronicle }, failure) => diedWithSandbox(chronicle.faults, failure),
});
