/**
 * Processes that outlive the command that started them: known by pid *and* start time, so that a number that was used again
 * is never taken for ours, and never signalled.
 */
import { spawn, execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BatonError } from '../../src/lib/errors.ts';

const PROCESS_FILE = 'process.json';
/** Beside it from before the end that is on purpose: whoever starts again what ended looks meanwhile. */
const STOPPING_FILE = 'stopping';
const LOG_FILE = 'log';
const POLL_MS = 20;

export interface StartedProcess {
  readonly pid: number;
  /** Opaque; tells two processes of one pid apart. */
  readonly startedAt: string;
}

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  /** Everybody waits for it while something fails, and it runs seldom: where the system allows that, it comes before others. */
  readonly isUrgent?: boolean;
}

/** A niceness. What is killed comes first then, too, in giving back its memory, before which nobody hears that it is gone. */
const URGENT = -5;

/** Undefined when there is no such process. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything; state is the field after it, and start time the 20th after that.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    if (process.platform === 'linux') return undefined;
  }
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined;
  } catch {
    return undefined;
  }
}

export function isAlive(started: StartedProcess): boolean {
  return startTime(started.pid) === started.startedAt;
}

/** The process of this directory, if it is alive. */
export function processOf(directory: string): StartedProcess | undefined {
  try {
    const started = JSON.parse(readFileSync(join(directory, PROCESS_FILE), 'utf8')) as StartedProcess;
    return isAlive(started) ? started : undefined;
  } catch {
    return undefined;
  }
}

/** Started, and not stopped by us since: if it is not alive, something else ended it. */
export function wasStarted(directory: string): boolean {
  return existsSync(join(directory, PROCESS_FILE)) && !existsSync(join(directory, STOPPING_FILE));
}

/** In a session of its own, output to the directory's log. */
export function startDetached(directory: string, command: Command): StartedProcess {
  mkdirSync(directory, { recursive: true });
  const log = openSync(join(directory, LOG_FILE), 'a', 0o600);
  // Certificates beside the system's cost tens of milliseconds at each start, and nothing here speaks TLS.
  const { NODE_EXTRA_CA_CERTS: _certificates, NODE_OPTIONS: _options, ...env } = process.env;
  const child = spawn(command.file, command.args, {
    detached: true,
    stdio: ['ignore', log, log],
    env,
    cwd: '/',
  });
  closeSync(log);
  child.on('error', () => undefined);
  child.unref();
  // Before it has threads, which take it over.
  if (command.isUrgent === true && child.pid !== undefined) putFirst(child.pid);
  const startedAt = child.pid === undefined ? undefined : startTime(child.pid);
  if (child.pid === undefined || startedAt === undefined)
    throw new BatonError('io', `cannot start ${command.file}`, { hint: `see ${join(directory, LOG_FILE)}` });
  const started = { pid: child.pid, startedAt };
  rmSync(join(directory, STOPPING_FILE), { force: true });
  writeFileSync(join(directory, PROCESS_FILE), `${JSON.stringify(started)}\n`, { mode: 0o600 });
  return started;
}

function putFirst(pid: number): void {
  try {
    setPriority(pid, URGENT);
  } catch {
    // Not everybody may: it is as fast as anything else then.
  }
}

/**
 * SIGTERM, and SIGKILL to what is still there after the grace. What ended by itself is not to be started again either.
 * @returns false when it did not run
 */
export async function stopProcess(directory: string, graceMs: number): Promise<boolean> {
  if (!existsSync(join(directory, PROCESS_FILE))) return false;
  writeFileSync(join(directory, STOPPING_FILE), '', { mode: 0o600 });
  const started = processOf(directory);
  if (started !== undefined) {
    signal(started, 'SIGTERM');
    if (!(await untilGone(started, graceMs))) {
      signal(started, 'SIGKILL');
      await untilGone(started, graceMs);
    }
  }
  for (const name of [PROCESS_FILE, STOPPING_FILE]) rmSync(join(directory, name), { force: true });
  return started !== undefined;
}

function signal(started: StartedProcess, name: NodeJS.Signals): void {
  if (!isAlive(started)) return;
  try {
    process.kill(started.pid, name);
  } catch {
    // It ended between the question and the signal.
  }
}

async function untilGone(started: StartedProcess, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (isAlive(started)) {
    if (performance.now() > deadline) return false;
    await delay(POLL_MS);
  }
  return true;
}

/** The last lines of a process' log, for the error that says it ended. */
export function logTail(directory: string, lines: number): string {
  try {
    return readFileSync(join(directory, LOG_FILE), 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '';
  }
}
