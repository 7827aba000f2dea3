/** The plan of faults: a function of the seed alone, with as many of each as was asked for. */
import { expect, it } from 'vitest';
import { drawDiskFaults, planActs } from '../../../chaos/nemesis.ts';
import { prng } from '../../../src/lib/prng.ts';

it('is the same for the same seed, and another for another', () => {
  const plan = (seed: number): unknown => planActs(50, ['wipe', 'flip'], prng(seed));
  expect(plan(1)).toEqual(plan(1));
  expect(plan(1)).not.toEqual(plan(2));
});

it.each([1, 3, 29, 100, 200])('of %i kills has that many, most of them aimed at the leader', (kills) => {
  const disks = drawDiskFaults(kills, prng(kills));
  const acts = planActs(kills, disks, prng(kills));
  expect(acts.filter(({ kind }) => kind === 'kill')).toHaveLength(kills);
  expect(acts.filter(({ kind }) => kind !== 'kill').map(({ kind }) => kind)).toEqual(disks);
  if (kills < 100) return;
  const atLeader = acts.filter(({ kind, aim }) => kind === 'kill' && aim === 'leader').length;
  expect(atLeader).toBeGreaterThan(kills / 2);
  expect(atLeader).toBeLessThan(kills);
});

it('has each fault of disks three times in a long run, and never at its end alone', () => {
  const disks = drawDiskFaults(200, prng(5));
  expect(disks.toSorted()).toEqual([
    'flip',
    'flip',
    'flip',
    'full-disk',
    'full-disk',
    'full-disk',
    'wipe',
    'wipe',
    'wipe',
  ]);
  const places = planActs(200, disks, prng(5)).flatMap(({ kind }, i) => (kind === 'kill' ? [] : [i]));
  expect(places[0]).toBeLessThan(30);
  expect(places.at(-1)).toBeLessThan(200);
});
