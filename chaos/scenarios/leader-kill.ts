/** Leaders are killed for a living: nobody's request fails, warm or cold, and nothing that was acknowledged is lost. */
import { killLeader } from '../faults/outages.ts';
import type { Scenario } from '../scenario.ts';
import { siege } from '../siege.ts';

export const leaderKill: Scenario = siege({
  name: 'leader-kill',
  about: 'the leader killed again and again',
  strike: killLeader,
  leaderChanges: (strikes) => strikes,
  isStable: true,
});
