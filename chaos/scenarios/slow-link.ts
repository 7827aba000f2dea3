/**
 * The links of one host are slow, or narrow, in both directions. A leader whose answers take half an election timeout is still the
 * leader; nothing is lost, and nothing piles up for good.
 */
import { slowHost } from '../faults/partitions.ts';
import type { Scenario } from '../scenario.ts';
import { siege } from '../siege.ts';

export const slowLink: Scenario = siege({
  name: 'slow-link',
  about: 'the links of a host slow, or narrow',
  plan: { nats: 3, proxied: ['bus'] },
  strike: (play, random, n) => slowHost(play, random, (play.world.options.seed + n) % 4),
  leaderChanges: () => 0,
  isStable: true,
});
