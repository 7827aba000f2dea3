/** One command in a process group of its own, with a limit of time; none of them outlives this process. */
import { spawn } from 'node:child_process';

const KEPT_OUTPUT = 200_000;
const running = new Set<number>();

export interface Ended {
  /** Undefined: killed, by the limit or by the caller. */
  readonly code: number | undefined;
  readonly timedOut: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

export function killAll(): void {
  for (const pid of running) killGroup(pid);
}

/** Runs `node ...args` in `cwd`, with `env` added to the environment. Never rejects. */
export function runNode(
  args: readonly string[],
  cwd: string,
  limitMs: number,
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...args], {
      cwd,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, CI: '1', NO_COLOR: '1', ...env },
    });
    const { pid } = child;
    if (pid !== undefined) running.add(pid);
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      if (pid !== undefined) killGroup(pid);
    }, limitMs);
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => {
        output[name] = (output[name] + text).slice(-KEPT_OUTPUT);
      });
    const end = (code: number | undefined): void => {
      clearTimeout(timer);
      if (pid !== undefined) {
        running.delete(pid);
        killGroup(pid);
      }
      resolve({ code, timedOut, ...output });
    };
    child.on('error', (error) => {
      output.stderr += String(error);
      end(undefined);
    });
    child.on('close', (code) => end(code ?? undefined));
  });
}
