/** Clients of the suite: an open loop that is measured from when a request was due, bursts, and what an exchange comes to. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Chronicle } from '../../../chaos/histories/chronicle.ts';
import { Ledger } from '../../../chaos/verifiers/ledger.ts';
import { Caller, type Call } from '../../../chaos/workloads/caller.ts';
import { ColdBursts } from '../../../chaos/workloads/cold.ts';
import { WarmTraffic } from '../../../chaos/workloads/warm.ts';

describe('warm traffic', () => {
  const calls: Call[] = [];
  const caller = { call: (call: Call) => void calls.push(call) };
  let nowMs = 0;
  const chronicle = { now: () => nowMs };
  const pass = (ms: number): void => {
    nowMs += ms;
    vi.advanceTimersByTime(ms);
  };

  beforeEach(() => {
    vi.useFakeTimers();
    calls.length = 0;
    nowMs = 500;
  });
  afterEach(() => void vi.useRealTimers());

  const begin = (ratePerSecond: number): WarmTraffic => {
    const traffic = new WarmTraffic({ caller, chronicle, functions: ['a', 'b'], ratePerSecond });
    traffic.start();
    return traffic;
  };

  it('is due at its rate, whatever becomes of earlier requests', () => {
    const traffic = begin(100);
    for (let n = 0; n < 100; n++) pass(10);
    expect(calls).toHaveLength(101);
    expect(calls.slice(0, 3).map(({ dueMs }) => dueMs)).toEqual([500, 510, 520]);
    expect(traffic.open).toBe(101);
  });

  it('goes to each function through one data plane, then through the next', () => {
    begin(100);
    for (let n = 0; n < 4; n++) pass(10);
    expect(calls.slice(0, 4).map((call) => `${call.function} ${call.turn}`)).toEqual([
      'a 0',
      'b 0',
      'a 1',
      'b 1',
    ]);
  });

  it('sends what became due while its own process was held up, and counts the delay', () => {
    const traffic = begin(10);
    pass(5);
    calls[0]?.onEnd(true, 1);
    nowMs += 1_000;
    vi.advanceTimersByTime(5);
    expect(calls).toHaveLength(11);
    expect(calls.at(-1)?.dueMs).toBe(1_500);
    for (const { onEnd, dueMs } of calls.slice(1)) onEnd(true, nowMs - dueMs);
    expect(traffic.open).toBe(0);
    expect(traffic.latencies.distribution()).toMatchObject({ n: 11, max: nowMs - 600 });
  });

  it('stops', () => {
    const traffic = begin(100);
    pass(10);
    traffic.stop();
    pass(1_000);
    expect(calls).toHaveLength(traffic.sent);
  });
});

it('a burst calls each function as often as it should in one instant', () => {
  const calls: Call[] = [];
  const cold = new ColdBursts({
    caller: { call: (call) => void calls.push(call) },
    chronicle: { now: () => 42 },
    timeoutMs: 1_000,
  });
  cold.burst(['a', 'b', 'c'], 2);
  expect(calls.map((call) => call.function).sort()).toEqual(['a', 'a', 'b', 'b', 'c', 'c']);
  expect(new Set(calls.map(({ dueMs }) => dueMs))).toEqual(new Set([42]));
  expect(cold.open).toBe(6);
});

describe('a request', () => {
  const servers: Server[] = [];
  let caller: Caller | undefined;

  afterEach(async () => {
    await caller?.close();
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      await new Promise((resolve) => void server.close(resolve));
    }
  });

  async function serve(answer: (response: ServerResponse) => void): Promise<string> {
    const server = createServer((_request, response) => answer(response));
    servers.push(server);
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** Nobody listens there. */
  async function closed(): Promise<string> {
    const url = await serve(() => undefined);
    const server = servers.pop();
    await new Promise((resolve) => void server?.close(resolve));
    return url;
  }

  async function call(...urls: string[]): Promise<{ ledger: Ledger; rerouted: number }> {
    const ledger = new Ledger();
    const targets = urls.map((url, i) => ({ id: `dp${i + 1}`, url }));
    const own = new Caller({ targets, ledger, chronicle: new Chronicle() });
    caller = own;
    await new Promise<void>((resolve) => {
      own.call({
        workload: 'warm',
        function: 'f',
        turn: 0,
        dueMs: 0,
        timeoutMs: 2_000,
        onEnd: () => resolve(),
      });
    });
    return { ledger, rerouted: own.rerouted };
  }

  const asFunction = (name: string) => (response: ServerResponse) =>
    void response.end(JSON.stringify({ sandbox: 's', function: name, generation: 1 }));

  it('is served when the function answers its own name', async () => {
    const { ledger } = await call(await serve(asFunction('f')));
    expect(ledger.causes()).toEqual({ served: 1 });
  });

  it.each<[string, (response: ServerResponse) => void, string]>([
    ['another function answers', asFunction('ff'), 'answered by another function'],
    ['the function fails', (response) => void response.writeHead(500).end(), '500 by the function'],
    [
      'the platform refuses',
      (response) => void response.writeHead(503, { 'x-baton-error': 'no-capacity' }).end('{}'),
      '503 no-capacity',
    ],
    ['the connection is lost', (response) => void response.destroy(), 'UND_ERR_SOCKET'],
  ])('when %s it has failed, and says how', async (_what, answer, cause) => {
    const { ledger } = await call(await serve(answer), await serve(asFunction('f')));
    expect(ledger.causes()).toEqual({ [cause]: 1 });
    expect(ledger.failures).toMatchObject([{ via: 'dp1', cause }]);
  });

  it('goes to the next data plane when the first one refuses the connection', async () => {
    const { ledger, rerouted } = await call(await closed(), await serve(asFunction('f')));
    expect([ledger.causes(), rerouted]).toEqual([{ served: 1 }, 1]);
  });

  it('fails when all refuse it', async () => {
    const { ledger } = await call(await closed(), await closed());
    expect(ledger.failures).toMatchObject([{ via: 'dp2', cause: 'ECONNREFUSED' }]);
  });
});
