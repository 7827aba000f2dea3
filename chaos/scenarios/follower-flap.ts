/**
 * A disruptive server: a follower is cut off and comes back, again and again. It asks for votes that it cannot get, and never stands
 * against who leads.
 */
import { ways } from '../faults/links.ts';
import { flapFollower } from '../faults/partitions.ts';
import type { Scenario } from '../scenario.ts';
import { siege } from '../siege.ts';

export const followerFlap: Scenario = siege({
  name: 'follower-flap',
  about: 'a follower cut off and back, again and again',
  plan: { nats: 3, proxied: ['bus'] },
  strike: (play, random, n) => {
    const way = ways[(play.world.options.seed + n) % ways.length] ?? 'both';
    return flapFollower(play, random, way);
  },
  leaderChanges: () => 0,
  isStable: true,
  // The last heartbeat may have been a second before the cut.
  silenceMs: 2_000,
});
