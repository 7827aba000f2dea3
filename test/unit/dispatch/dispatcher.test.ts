import { beforeEach, describe, expect, it } from 'vitest';
import { functionUid, sandboxId } from '../../../src/lib/ids.ts';
import { Bench, endpoint, owner, record } from './fixtures.ts';

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});

describe('queue and slots', () => {
  it('queues while no endpoint is ready, says so once, and dispatches in order when one comes', () => {
    bench.dispatcher.putFunction(record(), 0);
    bench.submit('a');
    bench.submit('b');
    expect(bench.said()).toEqual(['demand 7']);
    bench.dispatcher.putEndpoint(endpoint('s-1'), 0);
    expect(bench.said()).toEqual(['a→s-1', 'b→s-1']);
  });

  it('sends a request to a free slot at once, without demand', () => {
    bench.dispatcher.putFunction(record(), 0);
    bench.dispatcher.putEndpoint(endpoint('s-1'), 0);
    bench.submit('a');
    expect(bench.said()).toEqual(['a→s-1']);
  });

  it('never exceeds a hard limit, and gives a slot that comes free to the head of the queue', () => {
    bench.dispatcher.putFunction(record({ hardLimit: 1 }), 0);
    bench.dispatcher.setOwner(functionUid(7), owner('dp-1'), 0);
    bench.dispatcher.putEndpoint(endpoint('s-1'), 0);
    const a = bench.submit('a');
    bench.submit('b');
    bench.submit('c');
    expect(bench.said()).toEqual(['a→s-1', 'demand 7']);
    bench.dispatcher.done(a, 0);
    expect(bench.said()).toEqual(['b→s-1']);
  });

  it('refuses what is beyond the bound of the queue', () => {
    bench.dispatcher.putFunction(record(), 0);
    for (const name of ['a', 'b', 'c', 'd']) bench.submit(name);
    bench.take();
    bench.submit('e');
    expect(bench.said()).toEqual(['e rejected queue-full']);
  });

  it('rejects at the deadline with one wake for all, and not before', () => {
    bench.dispatcher.putFunction(record(), 0);
    bench.submit('late', { deadlineMs: 500 });
    bench.submit('early', { deadlineMs: 100 });
    bench.take();
    const wake = bench.dispatcher.nextWakeMs() ?? 0;
    expect(wake).toBeGreaterThanOrEqual(100);
    expect(wake).toBeLessThan(110);
    bench.dispatcher.sweep(99);
    expect(bench.said()).toEqual([]);
    bench.dispatcher.sweep(wake);
    expect(bench.said()).toEqual(['early rejected no-capacity']);
    bench.dispatcher.sweep(510);
    expect(bench.said()).toEqual(['late rejected no-capacity']);
    expect(bench.dispatcher.nextWakeMs()).toBeUndefined();
  });

  it('forgets a caller that leaves the queue, and keeps the slot of one that leaves later until its exchange ends', () => {
    bench.dispatcher.putFunction(record({ hardLimit: 1 }), 0);
    bench.dispatcher.setOwner(functionUid(7), owner('dp-1'), 0);
    const a = bench.submit('a');
    const b = bench.submit('b');
    const c = bench.submit('c');
    bench.take();
    expect(bench.dispatcher.cancel(a, 0)).toBe(true);
    bench.dispatcher.putEndpoint(endpoint('s-1'), 0);
    expect(bench.said()).toEqual(['b→s-1']);
    expect(bench.dispatcher.cancel(b, 0)).toBe(false);
    expect(bench.said()).toEqual([]);
    bench.dispatcher.done(b, 0);
    expect(bench.said()).toEqual(['c→s-1']);
    bench.dispatcher.done(c, 0);
    expect(bench.dispatcher.totals()).toEqual({ inFlight: 0, queued: 0 });
  });

  it('says demand again when the queue begins again', () => {
    bench.dispatcher.putFunction(record(), 0);
    const a = bench.submit('a');
    bench.take();
    bench.dispatcher.cancel(a, 0);
    bench.submit('b');
    expect(bench.said()).toEqual(['demand 7']);
  });
});

describe('endpoints', () => {
  it('dispatches to the generation of its specification only, and queues until that one comes', () => {
    bench.dispatcher.putFunction(record(), 0);
    bench.dispatcher.putEndpoint(endpoint('old'), 0);
    const a = bench.submit('a');
    bench.dispatcher.putFunction(record({ generation: 2 }), 0);
    bench.submit('b');
    expect(bench.said()).toEqual(['a→old', 'demand 7']);
    bench.dispatcher.putEndpoint(endpoint('new', { generation: 2 }), 0);
    expect(bench.said()).toEqual(['b→new']);
    bench.dispatcher.withdrawEndpoint(sandboxId('old'), 0);
    expect(bench.dispatcher.withdrawing(0)).toEqual([{ sandbox: 'old', inFlight: 1 }]);
    bench.dispatcher.done(a, 0);
    expect(bench.said()).toEqual(['drained old', 'forget unix:/run/old.sock']);
  });

  it('does not use an endpoint of a generation that it has not been told of', () => {
    bench.dispatcher.putFunction(record(), 0);
    bench.dispatcher.putEndpoint(endpoint('new', { generation: 2 }), 0);
    bench.submit('a');
    expect(bench.said()).toEqual(['demand 7']);
    bench.dispatcher.putFunction(record({ generation: 2 }), 0);
    expect(bench.said()).toEqual(['a→new']);
  });

  it('reports a withdrawn endpoint at zero for longer than a lease, then lets go of it', () => {
    bench.dispatcher.putFunction(record(), 0);
    bench.dispatcher.putEndpoint(endpoint('s-1'), 0);
    bench.dispatcher.withdrawEndpoint(sandboxId('s-1'), 0);
    expect(bench.said()).toEqual(['drained s-1', 'forget unix:/run/s-1.sock']);
    bench.submit('a');
    expect(bench.said()).toEqual(['demand 7']);
    expect(bench.dispatcher.withdrawing(9_000)).toEqual([{ sandbox: 's-1', inFlight: 0 }]);
    expect(bench.dispatcher.withdrawing(10_001)).toEqual([]);
  });

  it('answers for an endpoint that it never had', () => {
    bench.dispatcher.withdrawEndpoint(sandboxId('ghost'), 0);
    expect(bench.said()).toEqual(['drained ghost']);
    expect(bench.dispatcher.withdrawing(0)).toEqual([{ sandbox: 'ghost', inFlight: 0 }]);
  });

  it('takes an endpoint out that refuses, puts the request back at the front, and tries the endpoint again later', () => {
    bench.dispatcher.putFunction(record({ hardLimit: 1 }), 0);
    bench.dispatcher.setOwner(functionUid(7), owner('dp-1'), 0);
    bench.dispatcher.putEndpoint(endpoint('s-1'), 0);
    const a = bench.submit('a');
    bench.submit('b');
    bench.take();
    bench.dispatcher.refused(a, 0);
    expect(bench.dispatcher.refusedEndpoints()).toEqual(['s-1']);
    expect(bench.said()).toEqual([]);
    bench.dispatcher.putEndpoint(endpoint('s-2'), 0);
    expect(bench.said()).toEqual(['a→s-2']);
    bench.dispatcher.sweep(bench.dispatcher.nextWakeMs() ?? 0);
    expect(bench.said()).toEqual(['b→s-1']);
    expect(bench.dispatcher.refusedEndpoints()).toEqual([]);
  });

  it('leaves a condemned endpoint alone for good', () => {
    bench.dispatcher.putFunction(record({ hardLimit: 1 }), 0);
    bench.dispatcher.setOwner(functionUid(7), owner('dp-1'), 0);
    bench.dispatcher.putEndpoint(endpoint('s-1'), 0);
    const a = bench.submit('a');
    bench.submit('b');
    bench.take();
    bench.dispatcher.condemn(a, 0);
    bench.dispatcher.done(a, 0);
    bench.dispatcher.sweep(60_000);
    expect(bench.said()).toEqual(['b rejected no-capacity']);
    expect(bench.dispatcher.condemnedEndpoints()).toEqual(['s-1']);
  });

  it('leaves a condemned endpoint alone also when it is withdrawn and published once more', () => {
    // By two leaders in a row: the second one takes it from a report of its worker.
    for (const order of ['condemned first', 'withdrawn first']) {
      bench = new Bench();
      bench.dispatcher.putFunction(record({ hardLimit: 2 }), 0);
      bench.dispatcher.setOwner(functionUid(7), owner('dp-1'), 0);
      bench.dispatcher.putEndpoint(endpoint('s-1'), 0);
      const a = bench.submit('a');
      if (order === 'condemned first') bench.dispatcher.condemn(a, 0);
      bench.dispatcher.withdrawEndpoint(sandboxId('s-1'), 0);
      if (order === 'withdrawn first') bench.dispatcher.condemn(a, 0);
      bench.dispatcher.putEndpoint(endpoint('s-1'), 1);
      bench.take();
      bench.submit('b');
      expect(bench.said(), order).toEqual(['demand 7']);
      expect(bench.dispatcher.condemnedEndpoints()).toEqual([sandboxId('s-1')]);
      bench.dispatcher.sweep(60_000);
      expect(bench.said(), order).toEqual(['b rejected no-capacity']);
    }
  });

  it('balances by two choices far better than at random, and round-robin exactly', () => {
    for (const balancing of ['two-choices', 'round-robin', 'least-loaded'] as const) {
      const b = new Bench();
      b.dispatcher.putFunction(record({ balancing }), 0);
      for (let i = 0; i < 10; i++) b.dispatcher.putEndpoint(endpoint(`s-${i}`), 0);
      const counts = new Map<string, number>();
      for (let i = 0; i < 200; i++) {
        b.submit(`r${i}`);
        for (const said of b.said()) {
          const to = said.split('→')[1] ?? '';
          counts.set(to, (counts.get(to) ?? 0) + 1);
        }
      }
      const spread = Math.max(...counts.values()) - Math.min(...counts.values());
      expect(counts.size).toBe(10);
      expect(spread).toBeLessThanOrEqual(balancing === 'two-choices' ? 5 : 0);
    }
  });
});

describe('owners of hard-limited functions', () => {
  beforeEach(() => {
    bench.dispatcher.putFunction(record({ hardLimit: 2 }), 0);
  });

  it('queues until an owner is named, then dispatches or hands over the queue', () => {
    bench.dispatcher.putEndpoint(endpoint('s-1'), 0);
    bench.submit('a');
    bench.submit('b');
    expect(bench.said()).toEqual(['demand 7']);
    bench.dispatcher.setOwner(functionUid(7), owner('dp-2'), 0);
    expect(bench.said()).toEqual(['a→dp-2', 'b→dp-2']);
    bench.submit('c');
    expect(bench.said()).toEqual(['c→dp-2']);
    expect(bench.dispatcher.loads(0, true)).toEqual([]);
    bench.dispatcher.setOwner(functionUid(7), owner('dp-1'), 0);
    bench.submit('d');
    expect(bench.said()).toEqual(['d→s-1']);
    expect(bench.dispatcher.owned()).toEqual([7]);
  });

  it('does not take itself for its own earlier life', () => {
    bench.dispatcher.putEndpoint(endpoint('s-1'), 0);
    bench.dispatcher.setOwner(functionUid(7), owner('dp-1', { ms: 1, nonce: 9 }), 0);
    bench.submit('a');
    expect(bench.said()).toEqual(['demand 7']);
    expect(bench.dispatcher.owned()).toEqual([]);
  });

  it('never forwards a request twice', () => {
    bench.dispatcher.setOwner(functionUid(7), owner('dp-2'), 0);
    bench.submit('a', { viaPeer: true });
    expect(bench.said()).toEqual(['a rejected not-owner']);
    bench.submit('b', { viaPeer: true, ahead: true });
    expect(bench.said()).toEqual(['demand 7']);
    bench.dispatcher.setOwner(functionUid(7), owner('dp-3'), 0);
    expect(bench.said()).toEqual(['b rejected not-owner']);
  });

  it('waits when the owner refuses, and goes to a new owner as soon as one is named', () => {
    bench.dispatcher.setOwner(functionUid(7), owner('dp-2'), 0);
    const a = bench.submit('a');
    bench.take();
    bench.dispatcher.forwardRefused(a, 0);
    bench.submit('b');
    expect(bench.said()).toEqual(['demand 7']);
    bench.dispatcher.sweep(bench.dispatcher.nextWakeMs() ?? 0);
    expect(bench.said()).toEqual(['a→dp-2', 'b→dp-2']);
    bench.dispatcher.forwardRefused(a, 200);
    bench.take();
    bench.dispatcher.setOwner(functionUid(7), owner('dp-3'), 201);
    expect(bench.said()).toEqual(['a→dp-3']);
  });

  it('becomes everybody’s when the limit is lifted, and remembers the owner when it comes back', () => {
    bench.dispatcher.setOwner(functionUid(7), owner('dp-2'), 0);
    bench.dispatcher.putFunction(record({ generation: 2 }), 0);
    bench.dispatcher.putEndpoint(endpoint('s-2', { generation: 2 }), 0);
    bench.submit('a');
    expect(bench.said()).toEqual(['a→s-2']);
    bench.dispatcher.putFunction(record({ generation: 3, hardLimit: 1 }), 0);
    bench.submit('b');
    expect(bench.said()).toEqual(['b→dp-2']);
  });
});

describe('what the leader hears', () => {
  it('rejects the queue of a deleted function and lets what runs finish', () => {
    bench.dispatcher.putFunction(record({ hardLimit: 1 }), 0);
    bench.dispatcher.setOwner(functionUid(7), owner('dp-1'), 0);
    bench.dispatcher.putEndpoint(endpoint('s-1'), 0);
    const a = bench.submit('a');
    bench.submit('b');
    bench.take();
    bench.dispatcher.deleteFunction(functionUid(7), 0);
    expect(bench.said()).toEqual(['b rejected unknown-function']);
    bench.dispatcher.done(a, 0);
    bench.submit('c');
    expect(bench.said()).toEqual(['c rejected unknown-function']);
  });

  it('reports means whose sum over time is exact, and shows rare calls at once', () => {
    bench.dispatcher.putFunction(record(), 0);
    bench.dispatcher.putEndpoint(endpoint('s-1'), 0);
    // A request of 5 ms in every 250 ms: a mean of 0.02.
    const reported: number[] = [];
    for (let tick = 0; tick < 1_000; tick++) {
      bench.nowMs = tick * 250;
      const ticket = bench.submit('x');
      bench.dispatcher.done(ticket, bench.nowMs + 5);
      reported.push(bench.dispatcher.loads(bench.nowMs + 250, true)[0]?.inFlight ?? 0);
    }
    expect(reported[0]).toBe(1);
    const sum = reported.reduce((a, b) => a + b, 0);
    expect(sum).toBeGreaterThanOrEqual(20);
    // Never quiet for longer than five seconds, which costs at most one in twenty ticks.
    expect(sum).toBeLessThanOrEqual(50);
  });

  it('says the same load again between two intervals, and drops a function that has none', () => {
    bench.dispatcher.putFunction(record(), 0);
    bench.dispatcher.putEndpoint(endpoint('s-1'), 0);
    const a = bench.submit('a');
    expect(bench.dispatcher.loads(250, true)).toEqual([{ uid: 7, inFlight: 1, queued: 0 }]);
    bench.dispatcher.done(a, 251);
    expect(bench.dispatcher.loads(260, false)).toEqual([{ uid: 7, inFlight: 1, queued: 0 }]);
    bench.dispatcher.loads(500, true);
    expect(bench.dispatcher.loads(750, true)).toEqual([]);
  });

  it('counts retries against a tenth of the traffic', () => {
    bench.dispatcher.putFunction(record(), 0);
    bench.dispatcher.putEndpoint(endpoint('s-1'), 0);
    let retries = 0;
    for (let i = 0; i < 1_000; i++) {
      bench.dispatcher.done(bench.submit('x'), 0);
      if (bench.dispatcher.mayRetry(functionUid(7))) retries++;
    }
    expect(retries).toBeGreaterThan(90);
    expect(retries).toBeLessThanOrEqual(101);
  });
});
