/**
 * What a new leader does it has never done before: each function that it runs is compiled on first use, while callers wait. So a replica
 * that follows rehearses: it runs a cluster of its own in memory, whose leaders die one after the other, until its engine knows the way
 * (docs/adr/0011). It stops when the play is over, or as soon as the replica itself has something better to do.
 *
 *   H1  the replica's one thread is given back after each turn of `TURN_MS`, for nine times as long: where no core is free, whoever leads must not miss what this takes;
 *   H2  a rehearsal touches nothing outside of itself, and one that fails costs a line in the log.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { BatonError, explain } from '../../lib/errors.ts';
import { EventQueue } from '../../lib/event-queue.ts';
import type { Logger } from '../../ports/system.ts';
import { RehearsedCluster } from './rehearsed-cluster.ts';

const TURN_MS = 2;
const REST_MS = 18;
/** Immediates queued at once: each turn of the event loop costs a system call, whatever runs in it. */
const EVENTS_AT_ONCE = 32;
const LOOK_EVERY_MS = 250;

const LEADERS = 10;
/** Called for the first time under each leader, and as many under the one that comes after it. */
const FUNCTIONS = 6;
/** Virtual: the restarted replica catches up, and everybody reports. */
const CALM_MS = 400;
const SCENE_LIMIT_MS = 30_000;

export interface Rehearsing {
  /** False: not now, or not any more. Asked before each turn. */
  readonly isIdle: () => boolean;
  readonly signal: AbortSignal;
  readonly logger: Logger;
  /** Between two turns. */
  readonly restMs?: number;
}

/** Waits until the replica is idle, and rehearses; again when it was interrupted. Resolves when it is through; never rejects. */
export async function rehearseWhenIdle({
  isIdle,
  signal,
  logger,
  restMs = REST_MS,
}: Rehearsing): Promise<void> {
  const goesOn = (): boolean => !signal.aborted && isIdle();
  try {
    while (!signal.aborted) {
      await delay(LOOK_EVERY_MS, undefined, { signal, ref: false });
      if (!goesOn()) continue;
      const beganMs = performance.now();
      if (!(await new Rehearsal(goesOn, restMs).play())) continue;
      logger.info({ tookMs: Math.round(performance.now() - beganMs) }, 'rehearsed to lead');
      return;
    }
  } catch (error) {
    if (!signal.aborted)
      logger.warn({ error: explain(error) }, 'the rehearsal failed; this replica leads unrehearsed');
  }
}

class Rehearsal {
  readonly #queue = new EventQueue();
  readonly #goesOn: () => boolean;
  readonly #restMs: number;
  readonly #cluster: RehearsedCluster;
  #failure: Error | undefined;

  constructor(goesOn: () => boolean, restMs: number) {
    this.#goesOn = goesOn;
    this.#restMs = restMs;
    this.#cluster = new RehearsedCluster(this.#queue, (error) => (this.#failure ??= error));
  }

  /** @returns false when it was interrupted @throws what a role could not go on with, or BatonError `timeout` */
  async play(): Promise<boolean> {
    if (!(await this.#until(() => this.#cluster.hasLeader))) return false;
    for (let leader = 1; leader <= LEADERS; leader++) {
      const [before, after] = ['a', 'b'].map((part) =>
        Array.from({ length: FUNCTIONS }, (_, i) => `f-${leader}-${part}${i + 1}`),
      ) as [string[], string[]];
      if (!(await this.#settled(this.#cluster.register([...before, ...after])))) return false;
      if (!(await this.#call(before))) return false;
      this.#cluster.killLeader();
      if (!(await this.#call(after))) return false;
      this.#cluster.restartKilled();
      if (!(await this.#pass(CALM_MS))) return false;
    }
    return true;
  }

  /** Each function at zero, until all have answered. */
  #call(names: readonly string[]): Promise<boolean> {
    let answered = 0;
    for (const name of names) this.#cluster.call(name, () => answered++);
    return this.#until(() => answered === names.length);
  }

  #settled(promise: Promise<unknown>): Promise<boolean> {
    let isSettled = false;
    promise.then(
      () => (isSettled = true),
      (error: unknown) => (this.#failure ??= error instanceof Error ? error : new Error(String(error))),
    );
    return this.#until(() => isSettled);
  }

  #pass(ms: number): Promise<boolean> {
    const untilMs = this.#queue.nowMs + ms;
    return this.#until(() => this.#queue.nowMs >= untilMs);
  }

  /** @returns false when it was interrupted */
  async #until(done: () => boolean): Promise<boolean> {
    const limitMs = this.#queue.nowMs + SCENE_LIMIT_MS;
    for (;;) {
      if (!this.#goesOn()) return false;
      const isDone = await this.#turn(done, limitMs);
      if (this.#failure !== undefined) throw this.#failure;
      if (isDone) return true;
      if (this.#queue.nowMs >= limitMs)
        throw new BatonError('timeout', 'a scene of the rehearsal does not end');
      await delay(this.#restMs);
    }
  }

  /** H1: events until `done`, or until the turn is over. Between two of them every promise that is settled runs. */
  #turn(done: () => boolean, limitMs: number): Promise<boolean> {
    const endMs = performance.now() + TURN_MS;
    return new Promise((resolve) => {
      let isOver = false;
      const end = (isDone: boolean): void => {
        isOver = true;
        resolve(isDone);
      };
      const step = (): void => {
        if (isOver) return;
        try {
          if (done()) return end(true);
          if (performance.now() >= endMs || !this.#queue.runNext(limitMs)) end(false);
        } catch (error) {
          this.#failure ??= error instanceof Error ? error : new Error(String(error));
          end(false);
        }
      };
      const more = (): void => {
        if (isOver) return;
        for (let i = 0; i < EVENTS_AT_ONCE; i++) setImmediate(step);
        setImmediate(more);
      };
      more();
    });
  }
}
