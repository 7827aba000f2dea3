/** Cold starts under a dying leader: everybody is served, and no second fleet is started. */
import { expect, it } from 'vitest';
import { judgeStarts, type Burst } from '../../../chaos/verifiers/starts.ts';

const burst = (changes: Partial<Burst>): Burst => ({
  round: 1,
  each: 5,
  starts: new Map([
    ['f', 5],
    ['g', 6],
  ]),
  served: 10,
  openAtKill: 10,
  ...changes,
});

it('one more for each function is what nobody could know of', () => {
  expect(judgeStarts([burst({})])).toEqual({ ok: true, what: 'sandboxes started: 11 for 10' });
});

it('two more for one function are too many, although others had none', () => {
  const starts = new Map([
    ['f', 4],
    ['g', 7],
  ]);
  expect(judgeStarts([burst({ starts })])).toEqual({
    ok: false,
    what: 'round 1: 7 sandboxes of g for a demand of 5',
  });
});

it('everybody must be served', () => {
  expect(judgeStarts([burst({ served: 9 })]).what).toBe('round 1: 1 of 10 were not served');
});

it('shows nothing where requests had been answered before the kill, or none were sent', () => {
  expect(judgeStarts([burst({ openAtKill: 3 })]).what).toBe('round 1: only 3 of 10 waited at the kill');
  expect(judgeStarts([]).ok).toBe(false);
});
