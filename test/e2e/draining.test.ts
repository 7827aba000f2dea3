/** Workers that take nothing new, and workers that are emptied. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../cluster/package-root.ts';
import { http, TestCluster, until } from './harness.ts';

interface SandboxRow {
  readonly function: string;
  readonly worker: string;
  readonly state: string;
}

const example = (name: string): string => join(packageRoot(), 'examples', name);

describe('a worker', () => {
  const cluster = new TestCluster();
  const scratch = mkdtempSync(join(tmpdir(), 'baton-drain-'));

  beforeAll(async () => {
    await cluster.up();
  });
  afterAll(async () => {
    await cluster.close();
    rmSync(scratch, { recursive: true, force: true });
  });

  it('cordon keeps new sandboxes away, also after the worker was restarted', async () => {
    await cluster.json('cordon', 'w1');
    await cluster.baton('stop', 'w1');
    await cluster.start('w1');
    await until(
      'the worker',
      async () => (await cluster.status()).workers.find(({ id }) => id === 'w1')?.cordoned === true,
    );
    for (const name of ['placed-1', 'placed-2'])
      await cluster.json('deploy', example('hello.ts'), '--name', name);
    const rows = await cluster.json<SandboxRow[]>('get', 'sandboxes');
    expect(rows.filter(({ function: fn }) => fn.startsWith('placed-')).map(({ worker }) => worker)).toEqual([
      'w2',
      'w2',
    ]);
    await cluster.json('uncordon', 'w1');
    expect((await cluster.status()).workers.find(({ id }) => id === 'w1')?.cordoned).toBe(false);
  });

  it('drain moves what serves, whoever leads, without a failed request, and is remembered', async () => {
    const file = join(scratch, 'moving.mjs');
    writeFileSync(
      file,
      `export default { async fetch(request) {
        await new Promise((resolve) => setTimeout(resolve, Number(new URL(request.url).searchParams.get('ms'))));
        return new Response('done');
      } };`,
    );
    const { urls } = await cluster.json<{ urls: string[] }>('deploy', file, '--min', '2', '--max', '2');
    const onW1 = async (): Promise<SandboxRow[]> =>
      (await cluster.json<SandboxRow[]>('get', 'sandboxes')).filter(({ worker }) => worker === 'w1');
    await until('one on each worker', async () =>
      (await onW1()).some(({ function: fn, state }) => fn === 'moving' && state === 'ready'),
    );
    const statuses: number[] = [];
    const call = async (url: string): Promise<void> => void statuses.push((await http(url)).status);
    let isOver = false;
    const load = urls.map(async (url) => {
      while (!isOver) await call(url);
    });
    // Of four at once through one data plane each sandbox has some.
    const long = Promise.all(Array.from({ length: 4 }, () => call(`${urls[0]}?ms=3000`)));
    try {
      const draining = cluster.json('drain', 'w1');
      const progress = async (): Promise<{ phase: string; finishing: number }> => {
        const { body } = await http(`${cluster.view.replicas[1]?.http}/v1/workers/w1/drain`);
        return JSON.parse(body) as { phase: string; finishing: number };
      };
      await until('what runs to be waited for', async () => (await progress()).finishing > 0);
      await cluster.json('transfer-leadership');
      expect((await progress()).phase).not.toBe('none');
      expect(await draining).toEqual({
        ...{ worker: 'w1', phase: 'drained', left: 0, moving: 0, finishing: 0, waiting: [] },
      });
    } finally {
      isOver = true;
    }
    await Promise.all([...load, long]);
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(await onW1()).toEqual([]);
    // A leader that came after it says so itself, once it knows.
    await until('the news', async () =>
      (await cluster.json<{ kind: string; subject: string }[]>('events')).some(
        ({ kind, subject }) => kind === 'drained' && subject === 'w1',
      ),
    );

    await cluster.baton('stop', 'w1');
    await cluster.start('w1');
    const stateOf = async (id: string): Promise<string> => {
      const { stdout } = await cluster.baton('get', 'workers');
      return stdout.split('\n').find((line) => line.startsWith(`${id} `)) ?? '';
    };
    await until('the worker', async () => (await stateOf('w1')).includes('alive, draining'));
  });

  it('drain says what is in the way of the rest, and uncordon ends it', async () => {
    await cluster.reconciled();
    const { code, stderr } = await cluster.baton('drain', 'w2', '--timeout', '1s');
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /baton: w2 is not drained after 1 s: \d+ left; .*no room elsewhere for moving \(0 of 2 workers: 2 cordoned\) — it goes on/,
    );
    const begun = await cluster.json<{ phase: string }>('drain', 'w2', '--no-wait');
    expect(begun.phase).toBe('draining');
    for (const id of ['w2', 'w1']) await cluster.json('uncordon', id);
    expect((await cluster.status()).workers.map(({ cordoned, draining }) => cordoned || draining)).toEqual([
      false,
      false,
    ]);
    expect((await cluster.baton('drain', 'w9')).stderr).toContain('no worker w9');
  });
});
