/**
 * Nothing that a worker started survives it, however either of them ends (FAULTS: orphaned sandboxes). A few lines of shell
 * wait at the other end of a pipe: when the worker is gone, they kill whatever carries its mark.
 *
 *   G1  every process of a sandbox carries the mark in its environment, and inherits it to its children, also to those that
 *       leave their process group or session;
 *   G2  where a cgroup can be had, children that clear their environment are found there;
 *   G3  a life marks its own: the guardian of an earlier life cannot harm a later one, and no worker another's sandboxes. A
 *       life that has a guardian is left alone even under the same directory: a path is the same in many containers.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Logger } from '../../../ports/system.ts';
import { cgroupMembers, cgroupsLike, makeCgroup, removeCgroup } from './cgroup.ts';
import { commandLines, killWhere } from './proc.ts';

export const MARK = 'BATON_WORKER_LIFE';
/** A mark and a sandbox's id, of up to 63 characters, must fit behind it. */
const SOCKETS = tmpdir().length > 9 ? '/tmp' : tmpdir();

/**
 * $1 mark, $2 cgroup folder or "", $3 folder of sockets. Ignores what a terminal sends to the whole group. A process between
 * fork and exec does not carry its mark yet: only a second look that finds nothing is believed. A cgroup goes only after the
 * last of its processes has been reaped.
 */
const SCRIPT = `trap '' INT TERM HUP QUIT PIPE
while read -r _; do :; done
rounds=0
quiet=0
while [ $rounds -lt 200 ] && [ $quiet -lt 2 ]; do
  rounds=$((rounds+1))
  pids=$(grep -lsz "^${MARK}=$1\\$" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3)
  [ -n "$2" ] && pids="$pids $(cat "$2"/cgroup.procs 2>/dev/null)"
  if [ -z "$(echo $pids)" ]; then
    quiet=$((quiet+1))
    sleep 0.03 2>/dev/null || sleep 1
  else
    quiet=0
    kill -9 $pids 2>/dev/null
  fi
done
rm -rf "$3"
rounds=0
while [ -d "$2" ] && [ $rounds -lt 100 ] && ! rmdir "$2" 2>/dev/null; do
  rounds=$((rounds+1))
  sleep 0.03 2>/dev/null || sleep 1
done`;

/** In argv, before the mark that it guards. */
const GUARDIAN = 'baton-guardian';

export interface GuardianOptions {
  /** The worker's own: its hash is the part of the mark that lives share. */
  readonly directory: string;
  readonly logger: Logger | undefined;
}

export class Guardian {
  /** Value of {@link MARK}: which worker directory, which life. */
  readonly mark: string;
  /** Of this life alone; removed at its end. Short: paths of sockets are limited to about a hundred bytes. */
  readonly sockets: string;
  readonly #options: GuardianOptions;
  readonly #directoryMark: string;
  readonly #cgroup: string | undefined;
  #shell: ChildProcess;
  #isReleased = false;
  /** Sandboxes whose remains the next walk over the processes looks for, and who waits for it. */
  #wanted = new Set<string>();
  #walk: Promise<void> | undefined;

  constructor(options: GuardianOptions) {
    this.#options = options;
    this.#directoryMark = createHash('sha256').update(resolve(options.directory)).digest('hex').slice(0, 10);
    this.mark = `${this.#directoryMark}.${randomBytes(4).toString('hex')}`;
    this.sockets = join(SOCKETS, `baton-${this.mark}`);
    this.#cgroup = makeCgroup(`baton-${this.mark}`);
    this.#shell = this.#watch();
    mkdirSync(this.sockets, { mode: 0o700 });
  }

  /** argv that runs `command` inside the cgroup, before its first instruction. */
  wrap(command: readonly string[]): readonly string[] {
    if (this.#cgroup === undefined) return command;
    const enter = 'echo $$ > "$1/cgroup.procs" 2>/dev/null; shift; exec "$@"';
    return ['/bin/sh', '-c', enter, 'baton-sandbox', this.#cgroup, ...command];
  }

  /** Removes what an earlier life of this directory left behind, if its guardian was killed too. */
  async sweepEarlierLives(): Promise<void> {
    const guarded = new Set([this.mark, ...commandLines().map((argv) => argv[argv.indexOf(GUARDIAN) + 1])]);
    const isOver = (mark: string): boolean =>
      mark.startsWith(`${this.#directoryMark}.`) && !guarded.has(mark);
    await killWhere((variable) => isOver(variable(MARK) ?? ''));
    for (const { folder, name } of cgroupsLike('baton-')) {
      if (!isOver(name.slice('baton-'.length))) continue;
      for (const pid of cgroupMembers(folder)) killOne(pid);
      removeCgroup(folder);
    }
    for (const name of readdirSync(SOCKETS))
      if (name.startsWith('baton-') && isOver(name.slice('baton-'.length)))
        rmSync(join(SOCKETS, name), { recursive: true, force: true });
  }

  /**
   * Kills every process of one sandbox, also those that left its process group. Calls while a walk goes on share the next
   * one: many that end together cost two walks.
   */
  async sweepSandbox(sandbox: string): Promise<void> {
    this.#wanted.add(sandbox);
    const current = this.#walk;
    if (current !== undefined) {
      await current;
      if (!this.#wanted.has(sandbox)) return;
    }
    this.#walk ??= this.#sweepWanted().finally(() => (this.#walk = undefined));
    await this.#walk;
  }

  async #sweepWanted(): Promise<void> {
    // Those that end in the same turn join.
    await new Promise<void>((next) => setImmediate(next));
    const wanted = this.#wanted;
    this.#wanted = new Set();
    await killWhere(
      (variable) => wanted.has(variable('BATON_SANDBOX') ?? '') && variable(MARK) === this.mark,
    );
  }

  /** The worker ends in good order: the shell sees the end of the pipe and does the rest. */
  async release(): Promise<void> {
    this.#isReleased = true;
    const shell = this.#shell;
    if (shell.exitCode !== null || shell.signalCode !== null || shell.pid === undefined) return;
    await new Promise<void>((done) => {
      shell.once('exit', () => done());
      shell.ref();
      shell.stdin?.end();
    });
  }

  #watch(): ChildProcess {
    const shell = spawn('/bin/sh', ['-c', SCRIPT, GUARDIAN, this.mark, this.#cgroup ?? '', this.sockets], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      cwd: '/',
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
    });
    shell.once('error', (error) => {
      this.#options.logger?.error({ error: error.message }, 'no guardian: sandboxes may outlive this worker');
    });
    shell.stdin?.on('error', () => undefined);
    // A worker without a guardian would leave orphans; one that was killed is replaced.
    shell.once('exit', () => {
      if (this.#isReleased) return;
      this.#options.logger?.warn({}, 'the guardian was killed; another takes its place');
      this.#shell = this.#watch();
    });
    shell.unref();
    (shell.stdin as unknown as { unref?: () => void } | null)?.unref?.();
    return shell;
  }
}

function killOne(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It went by itself.
  }
}
