/**
 * The bus dies: all servers at once, so that nobody can lead, or the one beside the leader alone, so that its clients must find
 * another. Warm traffic does not notice; cold starts wait until there is a bus again.
 */
import { killNats } from '../faults/outages.ts';
import type { Scenario } from '../scenario.ts';
import { siege } from '../siege.ts';

export const natsKill: Scenario = siege({
  name: 'nats-kill',
  about: 'NATS servers killed: all, or the one beside the leader',
  plan: { nats: 3 },
  strike: (play, random, n) => {
    const { stage, chronicle } = play;
    return killNats(play, n % 2 === 0 ? stage.ids('nats') : [stage.natsBeside(chronicle.leader.id)], random);
  },
  leaderChanges: () => 1,
  isStable: true,
});
