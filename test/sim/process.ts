/** A process of the simulated cluster: what it scheduled, subscribed and connected dies with it. */
import type { Clock, Timer } from '../../src/ports/system.ts';
import type { Scheduler } from './scheduler.ts';

/** 2026-01-01: incarnations look like real ones. */
const WALL_ORIGIN_MS = 1_767_225_600_000;

/** How a machine's clocks differ from the world's. */
export interface Skew {
  /** Of its monotonic clock: 1.01 runs ahead by a hundredth. */
  readonly rate: number;
  /** Of its wall clock, which may jump at any time. */
  wallMs: number;
}

export class SimProcess {
  readonly id: string;
  readonly clock: Clock;
  readonly #onExit: (() => void)[] = [];
  alive = true;
  /** SIGSTOP: what is due waits here. */
  #held: (() => void)[] | undefined;

  constructor(id: string, scheduler: Scheduler, skew: Skew = { rate: 1, wallMs: 0 }) {
    this.id = id;
    const guarded =
      (run: () => void): (() => void) =>
      () =>
        this.enter(run);
    this.clock = {
      now: () => scheduler.nowMs * skew.rate,
      wall: () => WALL_ORIGIN_MS + Math.floor(scheduler.nowMs) + skew.wallMs,
      after(delayMs, run): Timer {
        const entry = scheduler.after(delayMs / skew.rate, guarded(run));
        return {
          cancel: () => {
            entry.cancelled = true;
          },
        };
      },
      soon: (run) => void scheduler.soon(guarded(run)),
    };
  }

  get paused(): boolean {
    return this.#held !== undefined;
  }

  /** Runs it inside the process: later while it is stopped, never once it is dead. */
  enter(run: () => void): void {
    if (!this.alive) return;
    if (this.#held === undefined) run();
    else this.#held.push(run);
  }

  /** SIGSTOP */
  pause(): void {
    this.#held ??= [];
  }

  /** SIGCONT: all that came meanwhile is there at once, in its order. */
  resume(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const run of held) this.enter(run);
  }

  onExit(run: () => void): void {
    this.#onExit.push(run);
  }

  /** kill -9 */
  kill(): void {
    if (!this.alive) return;
    this.alive = false;
    this.#held = undefined;
    for (const run of this.#onExit) run();
  }
}
