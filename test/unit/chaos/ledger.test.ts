/** LEDGER: each request ends exactly once, with a cause. */
import { describe, expect, it } from 'vitest';
import { judgeLedger, Ledger, SERVED, type ClientRequest } from '../../../chaos/verifiers/ledger.ts';

const request = (via = 'dp1'): ClientRequest => ({ workload: 'warm', function: 'f', via, dueMs: 1_000 });

describe('a ledger', () => {
  it('is right when every request ended once and was served', () => {
    const ledger = new Ledger();
    for (const id of [ledger.begin(request()), ledger.begin(request())]) ledger.end(id, SERVED, 1_010);
    expect(judgeLedger(ledger)).toEqual({ ok: true, what: '2 requests, each ended once' });
    expect(ledger.causes()).toEqual({ served: 2 });
  });

  it('shows nothing when nobody asked', () => {
    expect(judgeLedger(new Ledger())).toEqual({ ok: false, what: 'nobody asked for anything' });
  });

  it('sees a request that never ends', () => {
    const ledger = new Ledger();
    ledger.begin(request());
    expect(judgeLedger(ledger)).toEqual({ ok: false, what: '1 never ended' });
  });

  it('sees a request that ends twice, and an end without a beginning', () => {
    const ledger = new Ledger();
    const id = ledger.begin(request());
    ledger.end(id, SERVED, 1_010);
    ledger.end(id, '502 sandbox-crashed', 1_020);
    ledger.end(99, SERVED, 1_030);
    expect(judgeLedger(ledger)).toEqual({ ok: false, what: 'request 1 ended twice; request 99 never began' });
    expect(ledger.causes()).toEqual({ served: 1 });
  });

  it('tells whom a failure met and counts failures by their cause', () => {
    const ledger = new Ledger();
    ledger.end(ledger.begin(request()), SERVED, 1_010);
    ledger.end(ledger.begin(request()), '502 sandbox-crashed', 1_030, 'dp2');
    expect(judgeLedger(ledger)).toEqual({
      ok: false,
      what: 'f through dp2 at 1.00 s: 502 sandbox-crashed after 30 ms',
    });
    expect(ledger.causes()).toEqual({ served: 1, '502 sandbox-crashed': 1 });
  });

  it('excuses what a fault may cause, and nothing else', () => {
    const ledger = new Ledger();
    for (const via of ['dp1', 'dp2']) ledger.end(ledger.begin(request(via)), 'ECONNRESET', 1_030);
    expect(judgeLedger(ledger, ({ via }) => via === 'dp1').ok).toBe(false);
    expect(judgeLedger(ledger, () => true)).toEqual({
      ok: true,
      what: '2 requests, each ended once; 2 failed as the faults allow',
    });
  });

  it('excuses no failure that it could not keep', () => {
    const ledger = new Ledger();
    for (let n = 0; n < 10_001; n++) ledger.end(ledger.begin(request()), 'ECONNRESET', 1_030);
    expect(judgeLedger(ledger, () => true)).toEqual({ ok: false, what: '1 failures were not told' });
  });
});
