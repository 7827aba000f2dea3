/** Nothing survives its worker (P3), whatever the worker dies of. The worker here is a process of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { makeCgroup, removeCgroup } from '../../../src/adapters/runtimes/process/cgroup.ts';
import { isAlive, nodeProgram, ROOT, RUNAWAY } from './harness.ts';

const HOLDER = fileURLToPath(new URL('./holder.mjs', import.meta.url));
const COMPILED = join(ROOT, 'dist/src/adapters/runtimes/process/process-runtime.js');
const WAIT = { timeout: 25_000, interval: 20 };

let directory: string;
let workers: ChildProcess[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'baton-test-'));
  workers = [];
});
afterEach(() => {
  for (const worker of workers) worker.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

interface Holder {
  readonly process: ChildProcess;
  readonly mark: string;
  /** The sandboxes, their runaways, stem cells: every process that carries the worker's mark. */
  readonly offspring: readonly number[];
  readonly runaways: readonly number[];
}

/** Two sandboxes are up, and each has runaways. */
async function hold(runaway = RUNAWAY): Promise<Holder> {
  const artifact = join(directory, 'artifact');
  mkdirSync(artifact, { recursive: true });
  const files = {
    ...nodeProgram('', runaway),
    'main.mjs': `import { spawn } from 'node:child_process'; ${runaway} export default () => 'x';`,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(artifact, name), text);
  const child = spawn(process.execPath, [HOLDER, COMPILED, join(directory, 'worker'), artifact], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  workers.push(child);
  let said = '';
  child.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const [pids, lines] = await vi.waitFor(() => {
    const messages = said
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as { log?: string; sandboxes?: number[] });
    const logs = messages.flatMap(({ log }) => (log?.startsWith('runaways ') === true ? [log] : []));
    const sandboxes = messages.find((message) => message.sandboxes !== undefined)?.sandboxes;
    expect(logs).toHaveLength(2);
    expect(sandboxes).toHaveLength(2);
    return [sandboxes ?? [], logs] as const;
  }, WAIT);
  const runawayPids = lines.flatMap((line) => line.split(' ').slice(1).map(Number));
  expect([...pids, ...runawayPids].every(isAlive)).toBe(true);
  const mark = variableOf(pids[0] ?? 0, 'BATON_WORKER_LIFE');
  const offspring = new Set([...pids, ...runawayPids, ...carrying(mark)]);
  return { process: child, mark, offspring: [...offspring], runaways: runawayPids };
}

function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
  } catch {
    return [];
  }
}

const variableOf = (pid: number, name: string): string =>
  environmentOf(pid)
    .find((entry) => entry.startsWith(`${name}=`))
    ?.slice(name.length + 1) ?? '';

const processes = (): number[] => readdirSync('/proc').map(Number).filter(Number.isInteger);

const carrying = (mark: string): number[] =>
  processes().filter((pid) => environmentOf(pid).includes(`BATON_WORKER_LIFE=${mark}`));

/** The shell that waits for the worker's end. */
function guardianOf(mark: string): number {
  const found = processes().find((pid) => {
    try {
      const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return argv.includes('baton-guardian') && argv.includes(mark);
    } catch {
      return false;
    }
  });
  return found ?? 0;
}

const untilGone = (pids: readonly number[]) =>
  vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]), WAIT);

function hasCgroup(): boolean {
  const folder = makeCgroup(`baton-test-${process.pid}`);
  if (folder !== undefined) removeCgroup(folder);
  return folder !== undefined;
}

describe.runIf(process.platform === 'linux')('a worker that lives', () => {
  test('loses nothing to another that is given the same directory', async () => {
    const first = await hold();
    const second = await hold();
    expect(second.mark).not.toBe(first.mark);
    expect(first.offspring.filter((pid) => !isAlive(pid))).toEqual([]);
    first.process.kill('SIGKILL');
    await untilGone(first.offspring);
    expect(second.offspring.filter((pid) => !isAlive(pid))).toEqual([]);
    second.process.kill('SIGKILL');
    await untilGone(second.offspring);
  });

  test('loses its guardian and gets another, which does the same', async () => {
    const { process: worker, mark, offspring } = await hold();
    const first = guardianOf(mark);
    process.kill(first, 'SIGKILL');
    await vi.waitFor(() => {
      const next = guardianOf(mark);
      expect(next !== 0 && next !== first && isAlive(next)).toBe(true);
    }, WAIT);
    expect(offspring.every(isAlive)).toBe(true);
    worker.kill('SIGKILL');
    await untilGone(offspring);
  });
});

describe.runIf(process.platform === 'linux')('a worker that is gone', () => {
  test('by kill -9 leaves neither sandboxes, nor stem cells, nor grandchildren in sessions of their own', async () => {
    const { process: worker, mark, offspring, runaways } = await hold();
    expect(runaways).toHaveLength(4);
    // Two sandboxes, two runaways each, and the pool.
    expect(offspring.length).toBeGreaterThanOrEqual(7);
    const guardian = guardianOf(mark);
    expect(isAlive(guardian)).toBe(true);
    worker.kill('SIGKILL');
    await untilGone(offspring);
    await untilGone([guardian]);
    expect(carrying(mark)).toEqual([]);
  });

  test('in good order leaves none either', async () => {
    const { process: worker, offspring, mark } = await hold();
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    worker.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(offspring.filter(isAlive)).toEqual([]);
    expect(carrying(mark)).toEqual([]);
  });

  test('together with its guardian is cleaned up after by the next life of its directory', async () => {
    const first = await hold();
    // Both stopped before either is killed: nothing can be replaced or swept in between.
    const guardian = guardianOf(first.mark);
    first.process.kill('SIGSTOP');
    process.kill(guardian, 'SIGKILL');
    first.process.kill('SIGKILL');
    await untilGone([guardian]);
    expect(first.runaways.every(isAlive)).toBe(true);
    const second = await hold();
    await untilGone(first.offspring);
    expect(second.offspring.every(isAlive)).toBe(true);
    second.process.kill('SIGKILL');
    await untilGone(second.offspring);
  });

  test.skipIf(!hasCgroup())(
    'leaves none that cleared their environment, where there are cgroups',
    async () => {
      const {
        process: worker,
        runaways,
        mark,
        offspring,
      } = await hold(RUNAWAY.replace("spawn('/bin/sh', [", "spawn('/usr/bin/env', ['-i', '/bin/sh', "));
      expect(runaways.map((pid) => variableOf(pid, 'BATON_WORKER_LIFE'))).toEqual(['', '', '', '']);
      expect(mark).not.toBe('');
      worker.kill('SIGKILL');
      await untilGone(offspring);
    },
  );
});
