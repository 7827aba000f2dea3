/** How much of a scenario is played. */
import { describe, expect, it } from 'vitest';
import { Extent, type Asked, type Usual } from '../../../chaos/extent.ts';

const times: Usual = { kind: 'times', count: 3 };
const time: Usual = { kind: 'time', faultsMs: 1_000, least: 2 };

/** Begun at 500 ms. */
function extent(asked: Asked, usual: Usual): { at: (nowMs: number) => Extent } {
  let now = 500;
  const made = new Extent(asked, usual, 'round', () => now);
  return {
    at(nowMs) {
      now = nowMs;
      return made;
    },
  };
}

describe('so many times', () => {
  it('takes no account of time', () => {
    const { at } = extent({}, times);
    expect([0, 1, 2, 3].map((done) => at(1e9).goesOn(done))).toEqual([true, true, true, false]);
    expect(at(0).tell(1)).toBe('round 2 of 3');
  });

  it('are as many as are asked for, whatever is usual', () => {
    for (const usual of [times, time]) {
      const { at } = extent({ count: 1 }, usual);
      expect([0, 1].map((done) => at(500).goesOn(done))).toEqual([true, false]);
    }
  });

  it('are all due', () => {
    expect(extent({}, times).at(500).due(2)).toBe(3);
  });
});

describe('for a time', () => {
  it('goes on until it is over', () => {
    const { at } = extent({}, time);
    expect(at(1_499).goesOn(7)).toBe(true);
    expect(at(1_500).goesOn(7)).toBe(false);
    expect(at(900).tell(7)).toBe('round 8, 1 s to go');
  });

  it('has its least, however long the first ones take', () => {
    const { at } = extent({}, time);
    expect([0, 1, 2].map((done) => at(9_999).goesOn(done))).toEqual([true, true, false]);
    expect(at(9_999).tell(1)).toBe('round 2, 0 s to go');
    expect(at(9_999).due(1)).toBe(2);
    expect(at(9_999).due(5)).toBe(5);
  });

  it('is as long as is asked for, and has one at least where a count is usual', () => {
    const { at } = extent({ faultsMs: 100 }, times);
    expect(at(599).goesOn(9)).toBe(true);
    expect([0, 1].map((done) => at(600).goesOn(done))).toEqual([true, false]);
  });
});
