/** A process of the simulated cluster: what it scheduled, subscribed and connected dies with it. */
import type { Clock, Timer } from '../../src/ports/system.ts';
import type { Scheduler } from './scheduler.ts';

/** 2026-01-01: incarnations look like real ones. */
const WALL_ORIGIN_MS = 1_767_225_600_000;

export class SimProcess {
  readonly id: string;
  readonly clock: Clock;
  readonly #onExit: (() => void)[] = [];
  alive = true;

  constructor(id: string, scheduler: Scheduler) {
    this.id = id;
    const guarded =
      (run: () => void): (() => void) =>
      () => {
        if (this.alive) run();
      };
    this.clock = {
      now: () => scheduler.nowMs,
      wall: () => WALL_ORIGIN_MS + Math.floor(scheduler.nowMs),
      after(delayMs, run): Timer {
        const entry = scheduler.after(delayMs, guarded(run));
        return {
          cancel: () => {
            entry.cancelled = true;
          },
        };
      },
      soon: (run) => void scheduler.soon(guarded(run)),
    };
  }

  onExit(run: () => void): void {
    this.#onExit.push(run);
  }

  /** kill -9 */
  kill(): void {
    if (!this.alive) return;
    this.alive = false;
    for (const run of this.#onExit) run();
  }
}
