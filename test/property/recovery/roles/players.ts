/** The roles' share of the histories, in a process of its own, so that it has a processor of its own where there is one. */
import { fork, type ChildProcess } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { History } from '../histories.ts';
import type { Counterexample } from '../run.ts';
import { Tally, type Counts } from '../tally.ts';
import type { Played } from './role-run.ts';

const PROGRESS_EVERY = 25;

export type ToPlayer = { readonly kind: 'history'; readonly history: History } | { readonly kind: 'end' };

export type FromPlayer =
  | {
      readonly kind: 'played';
      readonly history: History;
      readonly played: Played;
      readonly seconds: number;
    }
  | { readonly kind: 'broken'; readonly counterexample: Counterexample };

export interface RolesResult {
  readonly counts: Counts & {
    readonly requests: number;
    readonly sandboxesStarted: number;
    /** Of the roles' process alone. */
    readonly wallSeconds: number;
  };
  readonly counterexample: Counterexample | undefined;
}

export class Players {
  readonly #child: ChildProcess;
  readonly #tally = new Tally();
  #sent = 0;
  #requests = 0;
  #started = 0;
  #seconds = 0;
  #counterexample: Counterexample | undefined;
  readonly #ended: Promise<unknown>;

  constructor() {
    const here = dirname(fileURLToPath(import.meta.url));
    this.#child = fork(join(here, 'player.ts'), { execArgv: process.execArgv, cwd: here });
    const kill = (): void => void this.#child.kill();
    process.once('SIGINT', kill);
    this.#child.on('message', (message) => this.#hear(message as FromPlayer));
    const exit = new Promise<void>((resolve) => {
      this.#child.on('exit', (code, signal) => {
        process.off('SIGINT', kill);
        if (code !== 0) this.#breakOff(`the roles' process ended with ${signal ?? `code ${code}`}`);
        resolve();
      });
    });
    // Only then has everything been heard that it told.
    const silence = new Promise<void>((resolve) => void this.#child.on('disconnect', () => resolve()));
    this.#ended = Promise.all([exit, silence]);
  }

  #hear(message: FromPlayer): void {
    if (message.kind === 'broken') {
      this.#counterexample = message.counterexample;
      return;
    }
    const { history, played, seconds } = message;
    this.#requests += played.requests;
    this.#started += played.sandboxesStarted;
    this.#seconds += seconds;
    try {
      this.#tally.note(history, played.failovers);
    } catch (error) {
      this.#breakOff((error as Error).message);
    }
    if (this.#tally.runs % PROGRESS_EVERY === 0)
      process.stderr.write(`  ${this.#tally.runs} histories played by the roles\n`);
  }

  #breakOff(text: string): void {
    this.#counterexample ??= { text, history: undefined };
  }

  /** Resolves when it is on its way, and what was told meanwhile has been heard. */
  async play(history: History): Promise<void> {
    this.#sent++;
    await this.#send({ kind: 'history', history });
    await new Promise((resolve) => void setImmediate(resolve));
  }

  #send(message: ToPlayer): Promise<void> {
    return new Promise((resolve) => {
      if (this.#child.connected) this.#child.send(message, () => resolve());
      else resolve();
    });
  }

  /** When all that was sent has been played, or a promise was broken. */
  async end(): Promise<RolesResult> {
    await this.#send({ kind: 'end' });
    await this.#ended;
    const { counts } = this.#tally;
    if (counts.runs < this.#sent)
      this.#breakOff(`${counts.runs} of ${this.#sent} histories were played by the roles`);
    return {
      counts: {
        ...counts,
        requests: this.#requests,
        sandboxesStarted: this.#started,
        wallSeconds: Number(this.#seconds.toFixed(1)),
      },
      counterexample: this.#counterexample,
    };
  }
}
