/** Sandboxes die one by one under their requests: their worker says so, others take the requests, and they are replaced. */
import { crashSandbox } from '../faults/outages.ts';
import type { Scenario } from '../scenario.ts';
import { siege } from '../siege.ts';
import { diedWithSandbox } from '../verifiers/excuses.ts';

export const sandboxCrash: Scenario = siege({
  name: 'sandbox-crash',
  about: 'sandboxes killed under their requests',
  plan: { runtime: 'process' },
  traffic: { cold: { functions: 8, everyMs: 2_500 } },
  strike: crashSandbox,
  leaderChanges: () => 0,
  isStable: false,
  isExcused: ({ chronicle }, failure) => diedWithSandbox(chronicle.faults, failure),
});
