/** Processes that outlive the command that started them. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { getPriority, setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { startDetached, stopProcess } from '../../../cluster/local/processes.ts';

const directories: string[] = [];

afterEach(async () => {
  for (const directory of directories.splice(0)) {
    await stopProcess(directory, 1_000);
    rmSync(directory, { recursive: true });
  }
});

const start = (isUrgent: boolean): number => {
  const directory = mkdtempSync(join(tmpdir(), 'baton-process-'));
  directories.push(directory);
  return startDetached(directory, { file: 'sleep', args: ['60'], isUrgent }).pid;
};

/** What this user may give, to a process that it is tried on. */
function attainable(niceness: number): number {
  const child = spawn('sleep', ['60']);
  try {
    setPriority(child.pid ?? 0, niceness);
  } catch {
    // Then it stays as it is.
  }
  const attained = getPriority(child.pid);
  child.kill('SIGKILL');
  return attained;
}

it('come before others if they are urgent and the system allows it, and start all the same if not', () => {
  expect(getPriority(start(true))).toBe(attainable(-5));
  expect(getPriority(start(false))).toBe(getPriority());
});
