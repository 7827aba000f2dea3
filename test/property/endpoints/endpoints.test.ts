/** Random histories of the endpoint stream: what must hold at every step, and that every copy ends in the leader's table. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { step, World } from './world.ts';

describe('any history of leaders, losses and restarts', () => {
  it('keeps the promises of the table at every step, and ends in the leader’s own', () => {
    let pulls = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 80, size: 'max' }), (steps) => {
        const world = new World();
        for (const s of steps) {
          world.apply(s);
          world.check();
        }
        world.quiesce();
        pulls += world.pulls;
      }),
      { seed: 61, numRuns: 300 },
    );
    expect(pulls).toBeGreaterThan(300);
  });
});
