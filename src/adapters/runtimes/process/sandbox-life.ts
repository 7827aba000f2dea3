/** One sandbox from the call of start to its one exit (P2), with or without a process in between. */
import type { ChildProcess } from 'node:child_process';
import type { SandboxId } from '../../../lib/ids.ts';
import type { LogLine, SandboxExit } from '../../../ports/sandbox-runtime.ts';
import type { Clock } from '../../../ports/system.ts';
import { eachLine, Tail } from './lines.ts';

/** How long output may be awaited that somebody outside the sandbox' reach still holds open. */
const LAST_WORDS_MS = 500;

export interface LifeOptions {
  readonly clock: Clock;
  readonly onLog: (line: LogLine) => void;
  /** Kills what the process group did not hold. */
  readonly sweep: (sandbox: SandboxId) => Promise<void>;
}

export class SandboxLife {
  readonly id: SandboxId;
  /** Resolves once, when nothing of the sandbox is left. */
  readonly over: Promise<SandboxExit>;
  readonly #options: LifeOptions;
  readonly #tail = new Tail();
  #report: (exit: SandboxExit) => void = () => undefined;
  #child: ChildProcess | undefined;
  #killTimer: NodeJS.Timeout | undefined;
  /** What ends it, where that is known better than by its exit code. */
  #why = '';
  #isEnding = false;

  constructor(id: SandboxId, options: LifeOptions) {
    this.id = id;
    this.#options = options;
    this.over = new Promise((resolve) => (this.#report = resolve));
  }

  /** No process may be given to it any more. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** By us, rather than by itself. */
  get wasEnded(): boolean {
    return this.#why !== '';
  }

  /** From here on its end is the process' end. */
  adopt(child: ChildProcess): void {
    this.#child = child;
    const drained = this.#collect(child);
    const ended = (how: string): void => void this.#finish(how, drained);
    child.once('error', (error) => ended(error.message));
    child.once('exit', (code, signal) => ended(signal ?? `exit ${code ?? '?'}`));
    // It may be over already: a stem cell that died before its end was noticed.
    if (child.exitCode !== null || child.signalCode !== null)
      ended(child.signalCode ?? `exit ${child.exitCode ?? '?'}`);
    else if (child.pid === undefined) setImmediate(ended, 'it could not be spawned');
  }

  /** To its process group: a sandbox leads one. */
  signal(signal: NodeJS.Signals): void {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // Nobody is left in it.
    }
  }

  /** At once. The first reason stands, but for a drain's: it ends by itself or is killed. */
  end(why: string): void {
    if (this.#why === '' || this.#why === 'drained') this.#why = why;
    if (this.#child === undefined) void this.#finish(why, Promise.resolve());
    else if (!this.#isEnding) this.signal('SIGKILL');
  }

  endAfter(graceMs: number): void {
    if (this.#child === undefined) return this.end('drained');
    if (this.#why === '') this.#why = 'drained';
    clearTimeout(this.#killTimer);
    this.#killTimer = setTimeout(() => this.end('killed after drain'), graceMs);
    this.#killTimer.unref();
  }

  #collect(child: ChildProcess): Promise<void> {
    for (const stream of ['stdout', 'stderr'] as const) {
      const source = child[stream];
      if (source === null) continue;
      eachLine(source, (text) => {
        this.#tail.add(text);
        this.#options.onLog({ sandbox: this.id, wallMs: this.#options.clock.wall(), stream, text });
      });
    }
    return new Promise((resolve) => child.once('close', () => resolve()));
  }

  async #finish(how: string, drained: Promise<void>): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    clearTimeout(this.#killTimer);
    const child = this.#child;
    if (child !== undefined) {
      this.signal('SIGKILL');
      await this.#options.sweep(this.id);
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, LAST_WORDS_MS)));
      await Promise.race([drained, late]);
      clearTimeout(timer);
      child.stdout?.destroy();
      child.stderr?.destroy();
    }
    const reason = this.#why === '' ? how : this.#why;
    this.#report({ sandbox: this.id, reason, log: this.#tail.toString() });
  }
}
