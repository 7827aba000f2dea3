/** Static stability, as tables show it: who serves stays. */
import { expect, it } from 'vitest';
import { Withdrawals } from '../../../chaos/verifiers/withdrawals.ts';

const nobodyAsked = (): readonly string[] => {
  throw new Error('nothing is missing: nobody is asked');
};

it('is right when everything stayed, whatever else came', () => {
  const withdrawals = new Withdrawals(['a', 'b']);
  withdrawals.saw('dp1', ['b', 'a', 'new'], nobodyAsked, 0);
  expect(withdrawals.verdict([])).toEqual({ ok: true, what: '2 sandboxes stayed, in 1 looks at tables' });
});

it('sees an endpoint that left one table while its sandbox served, also when it came back', () => {
  const withdrawals = new Withdrawals(['a', 'b']);
  [['a'], ['a'], ['a', 'b']].forEach((held, i) => {
    withdrawals.saw('dp2', held, () => ['a', 'b'], 1_500 + i * 200);
  });
  expect(withdrawals.verdict([])).toEqual({ ok: false, what: 'b from dp2 at 1.50 s although it serves' });
  expect(withdrawals.wrong.size).toBe(1);
});

it('blames nobody for taking out what is dead, but asks why it died', () => {
  const withdrawals = new Withdrawals(['a', 'b']);
  withdrawals.saw('dp1', ['a'], () => ['a'], 0);
  expect(withdrawals.wrong.size).toBe(0);
  expect(withdrawals.verdict(['b', 'x'])).toEqual({ ok: false, what: 'b ended' });
});

it('shows nothing when nothing was looked at, or nothing served', () => {
  expect(new Withdrawals(['a']).verdict([]).ok).toBe(false);
  const idle = new Withdrawals([]);
  idle.saw('dp1', [], nobodyAsked, 0);
  expect(idle.verdict([]).ok).toBe(false);
});
