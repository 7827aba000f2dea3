/**
 * The bus stands still: connections stay open, nothing comes through, and when the servers are woken everything arrives late. What
 * a deposed leader said meanwhile must be believed by nobody (FENCE).
 */
import { suspendNats } from '../faults/outages.ts';
import type { Scenario } from '../scenario.ts';
import { siege } from '../siege.ts';

export const natsPause: Scenario = siege({
  name: 'nats-pause',
  about: 'NATS servers stopped and woken: all, or the one beside the leader',
  plan: { nats: 3 },
  strike: (play, random, n) => {
    const { stage, chronicle } = play;
    return suspendNats(
      play,
      n % 2 === 0 ? stage.ids('nats') : [stage.natsBeside(chronicle.leader.id)],
      random,
    );
  },
  leaderChanges: () => 1,
  isStable: true,
});
