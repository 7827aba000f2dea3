/**
 * Nothing that a worker started survives it, however either of them ends (FAULTS: orphaned sandboxes). A few lines of shell
 * wait at the other end of a pipe: when the worker is gone, they kill whatever carries its mark.
 *
 *   G1  every process of a sandbox carries the mark in its environment, and inherits it to its children, also to those that
 *       leave their process group or session;
 *   G2  where a cgroup can be had, children that clear their environment are found there;
 *   G3  a life marks its own: the guardian of an earlier life cannot harm a later one.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const MARK = 'BATON_WORKER_LIFE';

/** $1 mark, $2 cgroup folder or "", $3 folder of sockets. Ignores what a terminal sends to the whole group. */
const SCRIPT = `trap '' INT TERM HUP QUIT PIPE
cat >/dev/null
i=0
while [ $i -lt 100 ]; do
  pids=$(grep -lsz "^${MARK}=$1\\$" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3)
  [ -n "$2" ] && pids="$pids $(cat "$2"/cgroup.procs 2>/dev/null)"
  [ -z "$(echo $pids)" ] && break
  kill -9 $pids 2>/dev/null
  i=$((i+1))
done
[ -n "$2" ] && rmdir "$2" 2>/dev/null
rm -rf "$3"`;

export class Guardian {
  /** Value of {@link MARK}: which worker directory, which life. */
  readonly mark: string;
  readonly #directoryMark: string;
  readonly #cgroup: string | undefined;
  readonly #shell: ChildProcess;

  constructor(directory: string, sockets: string) {
    this.#directoryMark = createHash('sha256').update(resolve(directory)).digest('hex').slice(0, 16);
    this.mark = `${this.#directoryMark}.${randomBytes(6).toString('hex')}`;
    this.#cgroup = makeCgroup(this.mark);
    this.#shell = spawn('/bin/sh', ['-c', SCRIPT, 'baton-guardian', this.mark, this.#cgroup ?? '', sockets], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      cwd: '/',
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
    });
    this.#shell.on('error', () => undefined);
    this.#shell.stdin?.on('error', () => undefined);
    this.#shell.unref();
    (this.#shell.stdin as unknown as { unref?: () => void } | null)?.unref?.();
  }

  /** argv that runs `command` inside the cgroup, before its first instruction. */
  wrap(command: readonly string[]): readonly string[] {
    if (this.#cgroup === undefined) return command;
    const enter = 'echo $$ > "$1/cgroup.procs" 2>/dev/null; shift; exec "$@"';
    return ['/bin/sh', '-c', enter, 'baton-sandbox', this.#cgroup, ...command];
  }

  /** Kills what an earlier life of this directory left behind, if its guardian was killed too. */
  sweepEarlierLives(): void {
    killMarked((environment) => {
      const at = environment.indexOf(`${MARK}=${this.#directoryMark}.`);
      return at !== -1 && !environment.startsWith(`${MARK}=${this.mark}`, at);
    });
  }

  /** Kills every process of one sandbox, also those that left its process group. */
  killSandbox(sandbox: string): void {
    killMarked((environment) => environment.includes(`\0BATON_SANDBOX=${sandbox}\0`));
  }

  /** The worker ends in good order: the shell sees the end of the pipe and does the rest. */
  async release(): Promise<void> {
    if (this.#shell.exitCode !== null || this.#shell.pid === undefined) return;
    await new Promise<void>((done) => {
      this.#shell.once('exit', () => done());
      this.#shell.ref();
      this.#shell.stdin?.end();
    });
  }
}

function killMarked(isMarked: (environment: string) => boolean): void {
  for (let round = 0; round < 10; round++) {
    let killed = 0;
    for (const entry of listProcesses()) {
      let environment: string;
      try {
        environment = `\0${readFileSync(`/proc/${entry}/environ`, 'latin1')}`;
      } catch {
        continue;
      }
      if (!isMarked(environment)) continue;
      try {
        process.kill(Number(entry), 'SIGKILL');
        killed++;
      } catch {
        // It went by itself.
      }
    }
    if (killed === 0) return;
  }
}

function listProcesses(): string[] {
  try {
    return readdirSync('/proc').filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid);
  } catch {
    return [];
  }
}

/** v2's unified tree, or v1's pids controller; undefined where neither can be written. */
function makeCgroup(mark: string): string | undefined {
  for (const root of ['/sys/fs/cgroup/pids', '/sys/fs/cgroup/unified', '/sys/fs/cgroup']) {
    const folder = join(root, `baton-${mark}`);
    try {
      readFileSync(join(root, 'cgroup.procs'));
      mkdirSync(folder);
    } catch {
      continue;
    }
    return folder;
  }
  return undefined;
}
