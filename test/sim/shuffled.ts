import type { Prng } from '../../src/lib/prng.ts';

export function shuffled<T>(list: readonly T[], random: Prng): T[] {
  return list
    .map((item) => ({ item, at: random.uint32() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
