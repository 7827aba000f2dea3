/** What no healthy cluster can show, and who led when. */
import { describe, expect, it } from 'vitest';
import { Chronicle } from '../../../chaos/histories/chronicle.ts';
import { Agreement } from '../../../chaos/verifiers/agreement.ts';

describe('agreement', () => {
  it('sees two leaders of one term, also one after the other, and says so once', () => {
    const agreement = new Agreement();
    expect([agreement.leads('r1', 3), agreement.leads('r1', 3), agreement.leads('r2', 4)]).toEqual([
      true,
      false,
      true,
    ]);
    expect(agreement.violations).toEqual([]);
    agreement.leads('r2', 3);
    agreement.leads('r2', 3);
    expect(agreement.violations).toEqual(['election safety: r1 and r2 both led in term 3']);
  });

  it('sees two states at one index, and none where indexes differ', () => {
    const agreement = new Agreement();
    agreement.holds('r1', 5, 'a');
    agreement.holds('r2', 6, 'b');
    agreement.holds('r2', 5, 'a');
    expect(agreement.violations).toEqual([]);
    agreement.holds('r3', 5, 'b');
    expect(agreement.violations).toEqual(['state-machine safety: at index 5 r1 has state a and r3 has b']);
  });
});

describe('a chronicle', () => {
  it('counts a leader of a higher term as a change, also when it is the same replica, in whatever order it is told', () => {
    const chronicle = new Chronicle();
    expect([chronicle.leader.term, chronicle.leaderChanges]).toEqual([0, 0]);
    chronicle.led('r1', 1, 5);
    chronicle.led('r2', 4, 90);
    chronicle.led('r2', 2, 40);
    chronicle.led('r2', 4, 95);
    expect(chronicle.leaderChanges).toBe(2);
    expect(chronicle.leader).toMatchObject({ id: 'r2', term: 4 });
    expect(chronicle.leaderAfter(1)).toEqual({ id: 'r2', term: 2, fromMs: 40 });
    expect(chronicle.leaderAfter(4)).toBeUndefined();
    const { leaders } = chronicle.timeline();
    expect(leaders.map(({ term, fromMs, toMs }) => [term, fromMs, toMs]).slice(0, 2)).toEqual([
      [1, 5, 40],
      [2, 40, 90],
    ]);
  });

  it('has throughput, errors and the slowest request in bins of time', () => {
    const chronicle = new Chronicle();
    chronicle.ended(10, true, 3);
    chronicle.ended(99, true, 7.04);
    chronicle.ended(250, false, 1);
    expect(chronicle.timeline()).toMatchObject({
      binMs: 100,
      served: [2, 0, 0],
      failed: [0, 0, 1],
      worstMs: [7, 0, 1],
    });
  });

  it('keeps a fault from its strike to its repair, with what shows that it happened', () => {
    const chronicle = new Chronicle();
    const over = chronicle.fault('kill', 'r1');
    expect(chronicle.faults).toEqual([]);
    over('pid 7 gone');
    expect(chronicle.faults).toMatchObject([{ kind: 'kill', target: 'r1', proof: 'pid 7 gone' }]);
    const [band] = chronicle.faults;
    expect(band?.toMs).toBeGreaterThanOrEqual(band?.fromMs ?? Number.POSITIVE_INFINITY);
  });
});
