/**
 * A worker is cut off from its NATS server, or with its whole host from the others, for longer than its suspicion. Its sandboxes go on
 * serving whoever still has them, others are started in their place, and when it is back the surplus is drained.
 */
import { partitionWorker, partitionWorkerHost } from '../faults/partitions.ts';
import type { Scenario } from '../scenario.ts';
import { siege } from '../siege.ts';

export const workerPartitionHeal: Scenario = siege({
  name: 'worker-partition-heal',
  about: 'a worker, or its host, cut off until it is replaced, and back',
  plan: { nats: 3, workers: 3, proxied: ['bus'] },
  strike: (play, random, n) => {
    const isAlone = (play.world.options.seed + n) % 2 === 0;
    return isAlone ? partitionWorker(play, random) : partitionWorkerHost(play, random);
  },
  leaderChanges: () => 0,
  isStable: false,
});
