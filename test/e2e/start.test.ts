/** How processes end that cannot start, and a cluster in the foreground. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { processOf } from '../../cluster/local/processes.ts';
import { batonProgram } from '../../cluster/package-root.ts';
import { baton, TestCluster, until } from './harness.ts';

describe('a process that cannot start', () => {
  it('says which port is taken, and which directory is another’s', { timeout: 60_000 }, async () => {
    const cluster = new TestCluster();
    try {
      await cluster.up('--replicas', '1', '--data-planes', '1', '--workers', '1', '--runtime', 'simulated');
      const [plane] = cluster.view.dataPlanes;
      const [replica] = cluster.view.replicas;
      const taken = await baton('data-plane', '--config', join(plane?.dir ?? '', 'config.json'));
      expect([taken.code, taken.stderr]).toEqual([
        1,
        expect.stringMatching(/cannot listen on 127\.0\.0\.1:\d+/),
      ]);
      await cluster.baton('stop', replica?.id ?? '');
      const config = join(replica?.dir ?? '', 'config.json');
      const text = readFileSync(config, 'utf8');
      const other = join(replica?.dir ?? '', 'other.json');
      writeFileSync(other, text.replace(/"cluster": "[^"]+"/, '"cluster": "another"'));
      const foreign = await baton('control-plane', '--config', other);
      expect([foreign.code, foreign.stderr]).toEqual([1, expect.stringContaining('belongs to replica')]);
      writeFileSync(other, text.replace('"dataDir"', '"dataDirectory"'));
      const corrupt = await baton('control-plane', '--config', other);
      expect([corrupt.code, corrupt.stderr]).toEqual([1, expect.stringContaining('dataDir')]);
      writeFileSync(other, '{ "cluster": ');
      expect((await baton('control-plane', '--config', other)).code).toBe(1);
    } finally {
      await cluster.close();
    }
  });
});

describe('up in the foreground', () => {
  const dir = mkdtempSync(join(tmpdir(), 'baton-fore-'));
  const topology = ['--replicas', '1', '--workers', '1', '--runtime', 'simulated'];
  afterAll(async () => {
    await baton('down', '--dir', dir);
    rmSync(dir, { recursive: true, force: true });
  });

  /** Serves; `ended` is its exit code and all that it told. */
  async function up(
    ...flags: string[]
  ): Promise<{ child: ChildProcess; ended: Promise<{ code: number; told: string }> }> {
    const args = ['up', ...topology, ...flags, '--json', '--dir', dir];
    const child = spawn(process.execPath, ['--no-warnings', batonProgram(), ...args]);
    const ended = once(child, 'close').then(([code]) => ({ code: code as number, told }));
    let [shown, told] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (shown += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (told += chunk.toString()));
    await until('the cluster', () => shown.trimEnd().endsWith('}'), 40_000);
    return { child, ended };
  }

  const running = (): string[] =>
    ['n1', 'r1', 'dp1', 'dp2', 'w1'].filter((id) => processOf(join(dir, id)) !== undefined);

  it('ends its processes on Ctrl-C', { timeout: 60_000 }, async () => {
    const { child, ended } = await up();
    child.kill('SIGINT');
    expect((await ended).code).toBe(0);
    expect(running()).toEqual([]);
  });

  it.each([
    ['', []],
    [', where what ends is started again', ['--supervise']],
  ])('ends when they were stopped from elsewhere%s', { timeout: 60_000 }, async (_where, flags) => {
    const { ended } = await up(...flags);
    const stopped = await baton('down', '--dir', dir);
    expect(stopped.stdout).toBe('stopped dp1, dp2, w1, r1, n1\n');
    const { code, told } = await ended;
    expect([code, told.trimEnd().split('\n').at(-1)]).toEqual([0, 'stopped from elsewhere']);
    expect(told).not.toContain('is down');
    expect(running()).toEqual([]);
  });
});
