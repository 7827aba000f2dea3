/** Programs that listen on $PORT, as real processes. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  call,
  isAlive,
  makeBench,
  nodeProgram,
  program,
  ROOT,
  RUN_NODE_PROGRAM,
  runaways,
  RUNAWAY,
  type Bench,
} from './harness.ts';

const SECRET = 'BATON_TEST_SECRET';
const WAIT = { timeout: 20_000, interval: 20 };
const PORTS = { from: 16_200, to: 16_399 };

let bench: Bench;
beforeAll(async () => {
  process.env[SECRET] = 'of the worker';
  bench = await makeBench({ stemCells: 0, ports: PORTS });
  await bench.runtime.prepare();
});
afterAll(async () => {
  delete process.env[SECRET];
  await bench.remove();
});

const oneExit = (id: string) =>
  vi.waitFor(() => expect(bench.exits.filter((e) => e.sandbox === id)).toHaveLength(1), WAIT);

function hasPython(): boolean {
  try {
    execFileSync('python3', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe('a program', () => {
  test('serves on a port of its own, in an environment of its own', async () => {
    const spec = {
      ...RUN_NODE_PROGRAM,
      env: [
        { name: 'GREETING', value: 'hello' },
        { name: 'PORT', value: '1' },
      ],
    };
    const first = await bench.start(nodeProgram(), spec);
    const second = await bench.start(nodeProgram(), spec);
    const [, host, port] = first.address.split(':');
    expect(host).toBe('127.0.0.1');
    expect(Number(port)).toBeGreaterThanOrEqual(PORTS.from);
    expect(Number(port)).toBeLessThanOrEqual(PORTS.to);
    expect(second.address).not.toBe(first.address);
    expect(first.stages.map(({ name }) => name)).toEqual(['spawn', 'listen']);
    const seen = JSON.parse((await call(first.address)).body) as Record<string, string>;
    expect(seen).toMatchObject({
      PORT: port,
      GREETING: 'hello',
      BATON_FUNCTION: 'greeter',
      BATON_SANDBOX: first.id,
      BATON_GENERATION: '3',
    });
    expect(seen[SECRET]).toBeUndefined();
    bench.runtime.kill(first.id);
    await oneExit(first.id);
    expect((await call(second.address)).status).toBe(200);
    const third = await bench.start(nodeProgram(), spec);
    expect(third.address).not.toBe(first.address);
  });

  test('that is drained gets SIGTERM, and may finish', async () => {
    const files = nodeProgram(
      `process.on('SIGTERM', () => { console.log('finishing'); setTimeout(() => process.exit(0), 50); });`,
    );
    const { id } = await bench.start(files, RUN_NODE_PROGRAM);
    bench.runtime.drain(id, 20_000);
    await oneExit(id);
    expect(bench.exitsOf(id)).toEqual([{ sandbox: id, reason: 'drained', log: 'finishing' }]);
  });

  test('that is drained and goes on is killed after the grace', async () => {
    const { id, pid } = await bench.start(nodeProgram(`process.on('SIGTERM', () => {});`), RUN_NODE_PROGRAM);
    bench.runtime.drain(id, 200);
    await oneExit(id);
    expect(bench.exitsOf(id)[0]?.reason).toBe('killed after drain');
    expect(isAlive(pid)).toBe(false);
  });

  test('that ends by itself takes its children with it, also those in a session of their own', async () => {
    const { id, pid } = await bench.start(
      nodeProgram('', `${RUNAWAY} process.on('SIGUSR2', () => process.exit(9));`),
      RUN_NODE_PROGRAM,
    );
    const pids = await vi.waitFor(() => {
      const found = runaways(bench.textOf(id));
      expect(found).toHaveLength(2);
      return found;
    }, WAIT);
    expect(pids.every(isAlive)).toBe(true);
    process.kill(pid, 'SIGUSR2');
    await oneExit(id);
    expect(bench.exitsOf(id)[0]?.reason).toBe('exit 9');
    await vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]), WAIT);
  });

  test.skipIf(!hasPython())('may be written in Python: the example', async () => {
    const files = { 'main.py': readFileSync(join(ROOT, 'examples/python/main.py'), 'utf8') };
    const { id, address } = await bench.start(files, program('python3', 'main.py'));
    const { status, body } = await call(address, { method: 'POST', path: '/x' }, 'to Python');
    expect(status).toBe(200);
    expect(JSON.parse(body)).toEqual({
      message: 'hello from Python',
      path: '/x',
      received: 'to Python',
      sandbox: id,
    });
    await vi.waitFor(() => expect(bench.textOf(id).join('\n')).toContain('"POST /x HTTP/1.1" 200'), WAIT);
  });
});

// Elsewhere 127.0.0.1 is the only address of loopback.
describe.skipIf(process.platform !== 'linux')('where sandboxes have one address to listen on', () => {
  test('they listen there alone, and are announced as others reach them', async () => {
    const [announced, own] = ['127.16.4.2', '127.16.4.1'];
    const ports = { from: 16_420, to: 16_439 };
    const bound = await makeBench({ ports, host: announced, listenHost: own });
    try {
      const started = [
        await bound.start(nodeProgram(), RUN_NODE_PROGRAM),
        await bound.start({ 'main.mjs': `export default () => 'hi';` }),
      ];
      for (const { address } of started) {
        expect(address).toMatch(/^tcp:127\.16\.4\.2:164[23]\d$/);
        await expect(call(address)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
        expect((await call(address.replace(announced, own))).status).toBe(200);
      }
    } finally {
      await bound.remove();
    }
  });
});

describe('a program that cannot serve', () => {
  test('because it ends, fails its start with its last output', async () => {
    const { id, started } = bench.begin(
      {},
      program(
        '/bin/sh',
        '-c',
        'i=0; while [ $i -lt 100 ]; do i=$((i+1)); echo line $i; done; echo no database >&2; exit 7',
      ),
    );
    const error = (await started.catch((thrown: unknown) => thrown)) as {
      code: string;
      message: string;
      fields: { log: string };
    };
    expect(error.code).toBe('trial-failed');
    expect(error.message).toContain('exit 7');
    expect(error.fields.log).toContain('no database');
    expect(error.fields.log).toContain('line 100');
    expect(bench.exitsOf(id)).toEqual([{ sandbox: id, reason: 'exit 7', log: error.fields.log }]);
  });

  test('because there is no such program, fails its start and names it', async () => {
    const { id, started } = bench.begin({}, program('/no/such/program'));
    await expect(started).rejects.toMatchObject({ code: 'trial-failed' });
    expect(bench.exitsOf(id)).toHaveLength(1);
    expect(`${bench.exitsOf(id)[0]?.reason} ${bench.exitsOf(id)[0]?.log}`).toContain('/no/such/program');
  });

  test('because it never listens, fails its start in time and is killed', async () => {
    const impatient = await makeBench({
      stemCells: 0,
      ports: { from: 16_400, to: 16_409 },
      startTimeoutMs: 500,
    });
    try {
      const { id, started } = impatient.begin({}, program('/bin/sh', '-c', 'echo idle; sleep 600'));
      await expect(started).rejects.toMatchObject({
        code: 'trial-failed',
        message: expect.stringMatching(/did not listen on \$PORT within 500 ms/) as string,
      });
      expect(impatient.exitsOf(id)).toHaveLength(1);
    } finally {
      await impatient.remove();
    }
  });

  test('because no port is left, fails its start and has its exit', async () => {
    const narrow = await makeBench({ stemCells: 0, ports: { from: 16_410, to: 16_410 } });
    try {
      await narrow.start(nodeProgram(), RUN_NODE_PROGRAM);
      const { id, started } = narrow.begin(nodeProgram(), RUN_NODE_PROGRAM);
      await expect(started).rejects.toMatchObject({ code: 'no-capacity' });
      expect(narrow.exitsOf(id)).toHaveLength(1);
    } finally {
      await narrow.remove();
    }
  });

  test.each(['kill', 'drain'] as const)('because of a %s before it was spawned, never runs', async (how) => {
    const { id, started } = bench.begin({}, program('/bin/sh', '-c', 'echo ran; sleep 600'));
    const outcome = started.catch((thrown: unknown) => thrown);
    if (how === 'kill') bench.runtime.kill(id);
    else bench.runtime.drain(id, 60_000);
    expect(await outcome).toMatchObject({ code: 'canceled' });
    expect(bench.exitsOf(id)).toHaveLength(1);
    expect(bench.textOf(id)).toEqual([]);
  });
});
