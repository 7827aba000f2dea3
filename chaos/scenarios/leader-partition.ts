/**
 * The leader's host is cut off from all others: both ways, so that it is alone; or one way, so that it speaks and hears nothing, or
 * hears and cannot speak. Each time the others elect somebody, the old leader stops leading, and who calls a warm function on
 * either side notices nothing.
 */
import { ways } from '../faults/links.ts';
import { partitionLeader } from '../faults/partitions.ts';
import type { Scenario } from '../scenario.ts';
import { siege } from '../siege.ts';

export const leaderPartition: Scenario = siege({
  name: 'leader-partition',
  about: 'the leader’s host cut off, both ways and each way alone',
  plan: { nats: 3, proxied: ['bus'] },
  strike: (play, random, n) => {
    const way = ways[(play.world.options.seed + n) % ways.length] ?? 'both';
    return partitionLeader(play, random, way);
  },
  leaderChanges: (strikes) => strikes,
  isStable: true,
  // A new leader counts from its beginning.
  silenceMs: 3_000,
});
