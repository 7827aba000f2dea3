/** JavaScript sandboxes, as real processes. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformSync } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { call, isAlive, makeBench, open, ROOT, runaways, RUNAWAY, type Bench } from './harness.ts';

const SECRET = 'BATON_TEST_SECRET';
const WAIT = { timeout: 20_000, interval: 20 };

let bench: Bench;
beforeAll(async () => {
  process.env[SECRET] = 'of the worker';
  bench = await makeBench({ stemCells: 2, ports: { from: 16_000, to: 16_099 } });
  await bench.runtime.prepare();
});
afterAll(async () => {
  delete process.env[SECRET];
  await bench.remove();
});

const module = (source: string): Record<string, string> => ({ 'main.mjs': source });
const oneExit = (id: string) =>
  vi.waitFor(() => expect(bench.exits.filter((e) => e.sandbox === id)).toHaveLength(1), WAIT);

describe('a module with a handler', () => {
  test('serves on a socket that is named by its sandbox, and says how long each stage of its start took', async () => {
    const { id, address, pid, stages } = await bench.start(module(`export default () => 'hi';`));
    expect(address).toMatch(new RegExp(`^unix:/.*/${id}$`));
    expect(address.length).toBeLessThan(100);
    expect(isAlive(pid)).toBe(true);
    expect(stages.map(({ name }) => name)).toEqual(['boot', 'load', 'listen']);
    expect(await call(address)).toMatchObject({ status: 200, body: 'hi' });
  });

  test('knows who it is, sees its own environment and nothing of the worker’s', async () => {
    const { id, address } = await bench.start(
      module(`export default { fetch: (request, env, { waitUntil, ...context }) =>
        ({ env, context, all: process.env, cwd: process.cwd() }) };`),
      {
        env: [
          { name: 'GREETING', value: 'hello' },
          { name: 'BATON_SANDBOX', value: 'forged' },
        ],
      },
    );
    const { body } = await call(address, { headers: { 'x-call-id': 'call-1' } });
    const seen = JSON.parse(body) as {
      env: object;
      context: object;
      all: Record<string, string>;
      cwd: string;
    };
    const identity = { BATON_FUNCTION: 'greeter', BATON_SANDBOX: id, BATON_GENERATION: '3' };
    expect(seen.env).toMatchObject({ GREETING: 'hello', ...identity });
    expect(seen.all).toMatchObject({ GREETING: 'hello', ...identity, PATH: process.env['PATH'] });
    expect(seen.context).toEqual({ function: 'greeter', sandbox: id, generation: 3, callId: 'call-1' });
    expect(seen.all[SECRET]).toBeUndefined();
    expect(seen.cwd).toBe(join(bench.directory, 'artifacts', id));
  });

  test('streams what it receives back to where it came from', async () => {
    const { address } = await bench.start(module(`export default (request) => new Response(request.body);`));
    const text = 'x'.repeat(1_000_000);
    expect((await call(address, { method: 'POST' }, text)).body).toBe(text);
  });

  test('that throws answers 500, logs its stack, and lives on', async () => {
    const { id, address } = await bench.start(
      module(
        `export default (request) => { if (request.url.endsWith('/bad')) throw new RangeError('not that'); return 'ok'; };`,
      ),
    );
    const bad = await call(address, { path: '/bad' });
    expect(bad).toMatchObject({ status: 500, headers: { 'x-function-error': 'RangeError' } });
    expect((await call(address)).body).toBe('ok');
    await vi.waitFor(() => {
      expect(bench.textOf(id).join('\n')).toMatch(/RangeError: not that\n.*main\.mjs:1/);
    }, WAIT);
  });

  test('that ends its process has one exit, with its last words, and its socket is gone', async () => {
    const { id, address } = await bench.start(
      module(`export default () => { console.log('last words'); process.exit(3); };`),
    );
    await expect(call(address)).rejects.toThrow(/hang up|ECONNRESET/);
    await oneExit(id);
    expect(bench.exitsOf(id)).toEqual([{ sandbox: id, reason: 'exit 3', log: 'last words' }]);
    expect(existsSync(address.slice('unix:'.length))).toBe(false);
  });

  test('that writes to the worker’s pipe harms nobody', async () => {
    const { id, address } = await bench.start(
      module(`import { writeSync } from 'node:fs';
        export default () => {
          let wrote = 0;
          try {
            for (let i = 0; i < 10_000; i++) wrote += writeSync(3, 'null\\ngarbage\\n{"kind":"failed","message":1}\\n');
          } catch {}
          return 'wrote ' + (wrote > 0);
        };`),
    );
    expect((await call(address)).body).toBe('wrote true');
    const other = await bench.start(module(`export default () => 'unharmed';`));
    expect((await call(other.address)).body).toBe('unharmed');
    bench.runtime.kill(id);
    await oneExit(id);
  });

  test('more at once than there are booted processes all start', async () => {
    const files = module(`export default (request, env, context) => context.sandbox;`);
    const all = await Promise.all(Array.from({ length: 5 }, () => bench.start(files)));
    const answers = await Promise.all(all.map(({ address }) => call(address)));
    expect(answers.map(({ body }) => body)).toEqual(all.map(({ id }) => id));
    for (const { id } of all) bench.runtime.kill(id);
    for (const { id } of all) await oneExit(id);
  });

  test('logs line by line', async () => {
    const { id } = await bench.start(
      module(`console.log('one'); console.error('two'); process.stdout.write('thr'); process.stdout.write('ee\\n');
        export default () => 'x';`),
    );
    await vi.waitFor(() => {
      const lines = bench.logs
        .filter(({ sandbox }) => sandbox === id)
        .map(({ stream, text }) => `${stream} ${text}`);
      expect(lines.sort()).toEqual(['stderr two', 'stdout one', 'stdout three']);
    }, WAIT);
  });
});

describe('a module that cannot serve', () => {
  test.each([
    [
      'throws while it loads',
      `console.log('before');\nfunction broken() { throw new TypeError('my own error'); }\nbroken();`,
      /my own error/,
      /before\nTypeError: my own error\n\s+at broken \(.*main\.mjs:2/,
    ],
    [
      'throws with a cause',
      `throw new Error('outer', { cause: new Error('the root') });`,
      /outer/,
      /the root/,
    ],
    ['throws no error', `throw 'a string';`, /a string/, /a string/],
    ['has no handler', `export const fetch = () => 'x';`, /exports no handler/, /exports no handler/],
    ['is no JavaScript', `export default {`, /SyntaxError/, /SyntaxError/],
    ['imports what is not there', `import './absent.mjs';`, /absent\.mjs/, /ERR_MODULE_NOT_FOUND/],
    ['ends its process', `console.error('giving up'); process.exit(4);`, /exit 4/, /giving up/],
  ])(
    'because it %s, fails its start with its own error and has one exit',
    async (_name, source, message, log) => {
      const { id, started } = bench.begin(module(source));
      const error = (await started.catch((thrown: unknown) => thrown)) as {
        code: string;
        message: string;
        fields: { log: string };
      };
      expect(error).toMatchObject({ code: 'trial-failed' });
      expect(error.message).toMatch(message);
      expect(error.fields.log).toMatch(log);
      expect(bench.exitsOf(id)).toHaveLength(1);
      expect(bench.exitsOf(id)[0]?.log).toBe(error.fields.log);
    },
  );

  test('because it never ends loading, fails its start in time', async () => {
    const impatient = await makeBench({
      stemCells: 1,
      ports: { from: 16_100, to: 16_109 },
      startTimeoutMs: 2_000,
    });
    try {
      await impatient.runtime.prepare();
      const { id, started } = impatient.begin(module(`console.log('looping'); for (;;);`));
      await expect(started).rejects.toMatchObject({ code: 'trial-failed', fields: { log: 'looping' } });
      expect(impatient.exitsOf(id)).toHaveLength(1);
    } finally {
      await impatient.remove();
    }
  });
});

describe('the end of a sandbox', () => {
  const SLOW = `
let finish;
export default {
  fetch(request, env, context) {
    if (request.url.endsWith('/finish')) { finish(); return 'told'; }
    if (request.url.endsWith('/later')) {
      context.waitUntil(new Promise((r) => setTimeout(r, 300)).then(() => console.log('done later')));
      return 'soon';
    }
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('begun '));
        finish = () => setTimeout(() => { controller.enqueue(new TextEncoder().encode('finished')); controller.close(); }, 200);
      },
    });
    return new Response(body);
  },
};`;

  test('a drain lets the running request finish, and takes no other', async () => {
    const { id, address } = await bench.start(module(SLOW));
    const running = await open(address);
    await call(address, { path: '/finish' });
    bench.runtime.drain(id, 20_000);
    await vi.waitFor(() => expect(existsSync(address.slice('unix:'.length))).toBe(false), WAIT);
    await expect(call(address)).rejects.toThrow(/ENOENT|ECONNREFUSED/);
    const [body] = await Promise.all([
      running.toArray().then((chunks) => Buffer.concat(chunks as Buffer[]).toString()),
      oneExit(id),
    ]);
    expect(body).toBe('begun finished');
    expect(bench.exitsOf(id)[0]?.reason).toBe('drained');
  });

  test('a drain waits for work that goes on after its response', async () => {
    const { id, address } = await bench.start(module(SLOW));
    await call(address, { path: '/later' });
    bench.runtime.drain(id, 20_000);
    await oneExit(id);
    expect(bench.exitsOf(id)).toEqual([{ sandbox: id, reason: 'drained', log: 'done later' }]);
  });

  test('a drain that takes too long is a kill', async () => {
    const { id, address } = await bench.start(module(SLOW));
    const running = await open(address);
    bench.runtime.drain(id, 300);
    await expect(running.toArray()).rejects.toThrow(/aborted/);
    await oneExit(id);
    expect(bench.exitsOf(id)[0]?.reason).toBe('killed after drain');
  });

  test('a kill leaves nothing of it, and everything of its neighbour', async () => {
    const files = module(`import { spawn } from 'node:child_process'; ${RUNAWAY} export default () => 'x';`);
    const [doomed, neighbour] = await Promise.all([bench.start(files), bench.start(files)]);
    const pidsOf = (id: typeof doomed.id) =>
      vi.waitFor(() => {
        const pids = runaways(bench.textOf(id));
        expect(pids).toHaveLength(2);
        return pids;
      }, WAIT);
    const mine = await pidsOf(doomed.id);
    const theirs = await pidsOf(neighbour.id);
    expect(mine.every(isAlive)).toBe(true);
    bench.runtime.kill(doomed.id);
    bench.runtime.kill(doomed.id);
    await oneExit(doomed.id);
    expect(bench.exitsOf(doomed.id)[0]?.reason).toBe('killed');
    await vi.waitFor(() => expect([doomed.pid, ...mine].filter(isAlive)).toEqual([]), WAIT);
    expect(theirs.every(isAlive)).toBe(true);
    expect((await call(neighbour.address)).body).toBe('x');
    bench.runtime.kill(neighbour.id);
    await oneExit(neighbour.id);
    await vi.waitFor(() => expect(theirs.filter(isAlive)).toEqual([]), WAIT);
  });

  test('one that is killed while it loads fails its start as canceled, with one exit', async () => {
    const { id, started } = bench.begin(
      module(`console.log('loading'); await new Promise(() => setTimeout(() => {}, 1e6));`),
    );
    const outcome = started.catch((thrown: unknown) => thrown);
    await vi.waitFor(() => expect(bench.textOf(id)).toEqual(['loading']), WAIT);
    bench.runtime.kill(id);
    expect(await outcome).toMatchObject({ code: 'canceled' });
    expect(bench.exitsOf(id)).toHaveLength(1);
  });
});

describe('the examples', () => {
  test('hello greets, with a body too', async () => {
    const source = readFileSync(join(ROOT, 'examples/hello.ts'), 'utf8');
    const { code } = transformSync(source, { loader: 'ts', format: 'esm' });
    const { id, address } = await bench.start(module(code), {
      env: [{ name: 'GREETING', value: 'good day' }],
    });
    const { body } = await call(address, { method: 'POST', path: '/?name=ada' }, 'thanks');
    expect(JSON.parse(body)).toEqual({ message: 'good day, ada', said: 'thanks', sandbox: id });
  });

  test('stream sends each line as it is made', async () => {
    const source = readFileSync(join(ROOT, 'examples/stream.js'), 'utf8');
    const { address } = await bench.start(module(source));
    const answer = await open(address, { path: '/?lines=4&every=100' });
    const chunks: string[] = [];
    for await (const chunk of answer) chunks.push(String(chunk));
    expect(chunks.join('')).toBe('line 1 of 4\nline 2 of 4\nline 3 of 4\nline 4 of 4\n');
    expect(chunks.length).toBeGreaterThan(1);
  });
});
