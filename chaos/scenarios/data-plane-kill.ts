/** A data plane dies in the middle of its requests: those fail, and no other. Back again, it serves from its file at once. */
import { killDataPlane } from '../faults/outages.ts';
import type { Scenario } from '../scenario.ts';
import { siege } from '../siege.ts';
import { diedInHand } from '../verifiers/excuses.ts';

export const dataPlaneKill: Scenario = siege({
  name: 'data-plane-kill',
  about: 'a data plane killed with requests in hand',
  strike: killDataPlane,
  leaderChanges: () => 0,
  isStable: true,
  isExcused: ({ chronicle }, failure) => diedInHand(chronicle.faults, failure),
});
