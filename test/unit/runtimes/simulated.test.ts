import { request } from 'node:http';
import { describe, expect, test } from 'vitest';
import { SimulatedRuntime } from '../../../src/adapters/runtimes/simulated/simulated.ts';
import { simulatedHttpServer } from '../../../src/adapters/runtimes/simulated/http-server.ts';
import { prng } from '../../../src/lib/prng.ts';
import { sandboxId } from '../../../src/lib/ids.ts';
import type { SandboxExit } from '../../../src/ports/sandbox-runtime.ts';
import { manualClock, startRequest, type ManualClock } from './fixtures.ts';

interface Setup {
  readonly runtime: SimulatedRuntime;
  readonly clock: ManualClock;
  readonly exits: SandboxExit[];
}

function setup(options: { startMs?: number; drainMs?: number; isServing?: boolean } = {}): Setup {
  const clock = manualClock();
  const runtime = new SimulatedRuntime({
    startMs: options.startMs ?? 20,
    drainMs: options.drainMs ?? 10,
    clock,
    random: prng('simulated'),
    server: options.isServing === true ? simulatedHttpServer() : undefined,
  });
  const exits: SandboxExit[] = [];
  runtime.onExit((exit) => exits.push(exit));
  return { runtime, clock, exits };
}

async function started({ runtime, clock }: Setup, id: string): Promise<string> {
  const start = runtime.start(startRequest(id));
  clock.advance(60_000);
  return (await start).address;
}

function body(address: string): Promise<string> {
  return new Promise((resolve, reject) => {
    request({ socketPath: address.slice('unix:'.length), agent: false }, (answer) => {
      answer.setEncoding('utf8').once('data', resolve);
    })
      .once('error', reject)
      .end();
  });
}

describe('simulated sandboxes', () => {
  test('take about as long as was asked for, none nothing', async () => {
    const { runtime, clock } = setup({ startMs: 20 });
    const starts = Array.from({ length: 500 }, (_, i) => runtime.start(startRequest(`s${i}`)));
    clock.advance(60_000);
    const tookMs = (await Promise.all(starts)).map(({ stages }) => (stages[0]?.micros ?? 0) / 1_000);
    const meanMs = tookMs.reduce((sum, ms) => sum + ms, 0) / tookMs.length;
    expect(meanMs).toBeGreaterThan(18);
    expect(meanMs).toBeLessThan(22);
    expect(Math.min(...tookMs)).toBeGreaterThanOrEqual(10);
  });

  test('the same seed starts in the same times', async () => {
    const times = async (): Promise<readonly unknown[]> => {
      const { runtime, clock } = setup();
      const starts = Array.from({ length: 20 }, (_, i) => runtime.start(startRequest(`s${i}`)));
      clock.advance(60_000);
      return (await Promise.all(starts)).map(({ stages }) => stages);
    };
    expect(await times()).toEqual(await times());
  });

  test('a crash, a kill and a drain each end in one exit', async () => {
    const all = setup({ drainMs: 10 });
    const { runtime, clock, exits } = all;
    for (const id of ['a', 'b', 'c']) await started(all, id);
    runtime.crash(sandboxId('a'), 'out of memory');
    runtime.kill(sandboxId('a'));
    runtime.kill(sandboxId('b'));
    runtime.drain(sandboxId('c'), 1_000);
    runtime.drain(sandboxId('c'), 1_000);
    expect(exits.map(({ sandbox }) => sandbox)).toEqual(['a', 'b']);
    clock.advance(10);
    clock.advance(10_000);
    expect(exits).toEqual([
      { sandbox: 'a', reason: 'out of memory', log: '' },
      { sandbox: 'b', reason: 'killed', log: '' },
      { sandbox: 'c', reason: 'drained', log: '' },
    ]);
  });

  test('one that is killed while it starts fails its start and ends once', async () => {
    const { runtime, clock, exits } = setup();
    const start = runtime.start(startRequest('a'));
    runtime.kill(sandboxId('a'));
    clock.advance(60_000);
    await expect(start).rejects.toMatchObject({ code: 'canceled' });
    expect(exits).toHaveLength(1);
  });

  test('close ends all that are there', async () => {
    const all = setup();
    await started(all, 'a');
    await started(all, 'b');
    await all.runtime.close();
    expect(all.exits.map(({ sandbox }) => sandbox).sort()).toEqual(['a', 'b']);
  });
});

describe('served over HTTP', () => {
  test('each sandbox answers for itself, until it is gone', async () => {
    const all = setup({ isServing: true });
    const a = await started(all, 'a');
    const b = await started(all, 'b');
    expect(JSON.parse(await body(a))).toEqual({ sandbox: 'a', function: 'greeter', generation: 3 });
    expect(JSON.parse(await body(b))).toMatchObject({ sandbox: 'b' });
    all.runtime.kill(sandboxId('a'));
    await expect(body(a)).rejects.toThrow(/ENOENT|ECONNREFUSED/);
    expect(JSON.parse(await body(b))).toMatchObject({ sandbox: 'b' });
    await all.runtime.close();
    await expect(body(b)).rejects.toThrow(/ENOENT|ECONNREFUSED/);
  });

  test('one that is killed while it begins to listen fails its start and ends once', async () => {
    const { runtime, clock, exits } = setup({ isServing: true });
    const start = runtime.start(startRequest('a'));
    clock.advance(60_000);
    await Promise.resolve();
    await Promise.resolve();
    runtime.kill(sandboxId('a'));
    await expect(start).rejects.toMatchObject({ code: 'canceled' });
    expect(exits).toHaveLength(1);
    await runtime.close();
  });
});
