/** Which faults strike together. */
import { describe, expect, it } from 'vitest';
import { drawStrike } from '../../../chaos/swarm.ts';
import { prng } from '../../../src/lib/prng.ts';

const faults = (['control', 'bus', 'edge'] as const).flatMap((group) =>
  ['a', 'b', 'c', 'd'].map((name) => ({ groups: [group], kind: `${group}-${name}` })),
);
const kinds = (seed: number, n: number): string[] =>
  drawStrike(faults, prng(seed), n).map(({ kind }) => kind);
const strikes = Array.from({ length: 200 }, (_, n) => n);

describe('a swarm', () => {
  it('is the same for the same seed and strike, whatever was drawn before', () => {
    const random = prng(7);
    random.below(99);
    expect(drawStrike(faults, random, 12).map(({ kind }) => kind)).toEqual(kinds(7, 12));
    expect(strikes.map((n) => kinds(7, n))).not.toEqual(strikes.map((n) => kinds(8, n)));
  });

  it('strikes with one fault, or with two of different groups', () => {
    const drawn = strikes.map((n) => drawStrike(faults, prng(3), n));
    for (const together of drawn) {
      expect(together.length).toBeGreaterThan(0);
      expect(new Set(together.flatMap(({ groups }) => groups)).size).toBe(together.length);
    }
    const pairs = drawn.filter(({ length }) => length === 2).length;
    expect(pairs).toBeGreaterThan(40);
    expect(pairs).toBeLessThan(100);
  });

  it('leaves half of the kinds out for a spell, and comes to all of them in time', () => {
    for (let spell = 0; spell < 40; spell++) {
      const drawn = new Set(strikes.slice(spell * 5, spell * 5 + 5).flatMap((n) => kinds(4, n)));
      expect(drawn.size).toBeLessThanOrEqual(6);
    }
    expect(new Set(strikes.flatMap((n) => kinds(4, n))).size).toBe(faults.length);
  });

  it('puts nothing beside a fault that touches everything', () => {
    const lonely = { groups: ['control', 'bus', 'edge'] as const, kind: 'lonely' };
    const drawn = strikes
      .map((n) => drawStrike([lonely, ...faults], prng(3), n))
      .filter((together) => together.includes(lonely));
    expect(drawn.length).toBeGreaterThan(5);
    for (const together of drawn) expect(together).toEqual([lonely]);
  });

  it('has one group left, and strikes with one fault', () => {
    const bus = faults.filter(({ groups }) => groups.includes('bus'));
    for (const n of strikes) expect(drawStrike(bus, prng(1), n)).toHaveLength(1);
    expect(drawStrike([], prng(1), 0)).toEqual([]);
  });
});
