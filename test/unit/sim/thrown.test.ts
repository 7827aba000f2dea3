/** What is thrown in a run is found by its seed, as every other breach. */
import { expect, it } from 'vitest';
import { drawOptions, type Fault } from '../../sim/options.ts';
import { simulate } from '../../sim/run.ts';

const options = drawOptions(3);
const bad: Fault = {
  ...(options.schedule[0] as Fault),
  get kind(): Fault['kind'] {
    throw new RangeError('no such fault');
  },
};

it('fails the run, and says what it was', async () => {
  const { ok, violations } = await simulate(3, { ...options, schedule: [bad] });
  expect(ok).toBe(false);
  expect(violations).toEqual([expect.stringContaining('the run ended: RangeError: no such fault')]);
});
