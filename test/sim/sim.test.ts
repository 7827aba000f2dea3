/**
 * Whole clusters of production roles under virtual time: leaders are killed, networks cut, disks lost; what was promised is
 * looked at throughout (election safety, log matching, leader completeness, persist before reply, R3, R7, fences) and once it
 * has settled (linearizability, R1, R5, R6).
 */
import { describe, expect, it } from 'vitest';
import { drawOptions } from './options.ts';
import { simulate } from './run.ts';
import { shrink, tellSchedule } from './shrink.ts';

const FIRST_SEED = 20_000;
const RUNS = 50;

describe('simulated clusters', () => {
  it(`keep their promises in ${RUNS} seeded runs with killed leaders`, { timeout: 300_000 }, async () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
      const result = await simulate(seed);
      expect(
        result.violations,
        `npm run sim -- --length quick --seed ${seed}\n${result.story.join('\n')}`,
      ).toEqual([]);
      expect(result.leaderCrashes).toBeGreaterThan(0);
      expect(result.leaderChanges).toBeGreaterThan(0);
      expect(result.registrations).toBeGreaterThan(0);
      expect(result.calls.ok).toBeGreaterThan(0);
      expect(result.operations).toBeGreaterThan(0);
    }
  });

  it('give the same trace for the same seed, and another for another', { timeout: 60_000 }, async () => {
    const [first, again, other] = [await simulate(7), await simulate(7), await simulate(8)];
    expect(again.traceHash).toBe(first.traceHash);
    expect(first.traceHash).toMatch(/^[0-9a-f]{64}$/);
    expect(again.story).toEqual(first.story);
    expect(other.traceHash).not.toBe(first.traceHash);
  });

  it('notice a disk that calls a write durable before it is', { timeout: 120_000 }, async () => {
    const found: string[] = [];
    for (let seed = 1; seed <= 60 && found.length === 0; seed++)
      found.push(...(await simulate(seed, { ...drawOptions(seed), lyingDisks: true })).violations);
    expect(found).not.toEqual([]);
  });

  it(
    'are shrunk, when one breaks a promise, to faults that still break it',
    { timeout: 120_000 },
    async () => {
      for (let seed = 1; ; seed++) {
        const options = { ...drawOptions(seed), lyingDisks: true };
        const { violations } = await simulate(seed, options);
        if (violations.length === 0 || options.schedule.length < 4) continue;
        const small = await shrink(options, 60, () => undefined);
        expect(options.schedule).toEqual(expect.arrayContaining([...small.schedule]));
        expect(small.schedule.length).toBeLessThan(options.schedule.length);
        expect(tellSchedule(small)).toHaveLength(small.schedule.length);
        const again = await simulate(seed, small);
        expect(again.violations.filter((text) => !text.includes('vacuous'))).not.toEqual([]);
        return;
      }
    },
  );
});
