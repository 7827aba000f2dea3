/**
 * Five replicas, of which some pairs cannot hear each other (bug 19 of the catalogue): whoever reaches a majority leads, and the
 * term does not run away because somebody else hears no leader.
 */
import { connectivities, partitionPartly } from '../faults/partitions.ts';
import type { Scenario } from '../scenario.ts';
import { siege } from '../siege.ts';

export const partialPartition: Scenario = siege({
  name: 'partial-partition',
  about: 'five replicas, some pairs of which are cut off from each other',
  plan: { replicas: 5, nats: 5, proxied: ['bus'] },
  traffic: { ratePerSecond: 50 },
  strike: async (play, random, n) => {
    const connect = connectivities[(play.world.options.seed + n) % connectivities.length];
    if (connect !== undefined) await partitionPartly(play, connect, random);
  },
  // In one of them the leader has lost its majority.
  leaderChanges: (strikes) => Math.floor(strikes / connectivities.length),
  isStable: false,
});
