/**
 * A zombie: the leader is stopped for longer than two elections and woken, in the middle of whatever it was doing. It must see
 * that it is deposed before anybody obeys it (FENCE), and acknowledge nothing that is not so (LIN).
 */
import { suspendLeader } from '../faults/outages.ts';
import type { Scenario } from '../scenario.ts';
import { siege } from '../siege.ts';

export const leaderPause: Scenario = siege({
  name: 'leader-pause',
  about: 'the leader stopped for longer than two elections, and woken',
  strike: suspendLeader,
  leaderChanges: (strikes) => strikes,
  isStable: true,
});
