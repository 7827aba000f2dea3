/** An operator restarts everything, one process after the other, in good order: nobody notices. */
import { restart } from '../faults/outages.ts';
import type { Scenario } from '../scenario.ts';
import { siege } from '../siege.ts';

export const rollingRestart: Scenario = siege({
  name: 'rolling-restart',
  about: 'every process restarted in good order, one after the other',
  plan: { nats: 3 },
  strike: (play, _random, n) => {
    const { members } = play.stage;
    // The leader's turn comes with its number, and again with its successor's.
    return restart(play, members[n % members.length]?.id ?? '');
  },
  leaderChanges: () => 1,
  isStable: false,
});
