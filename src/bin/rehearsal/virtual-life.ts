/** A process of a rehearsed cluster: its clock is virtual, and whatever it still had to do dies with it. */
import type { EventQueue } from '../../lib/event-queue.ts';
import type { Clock, Timer } from '../../ports/system.ts';

export class VirtualLife {
  readonly clock: Clock;
  #alive = true;

  constructor(queue: EventQueue) {
    const whileAlive =
      (run: () => void): (() => void) =>
      () => {
        if (this.#alive) run();
      };
    this.clock = {
      now: () => queue.nowMs,
      // Any origin will do: incarnations have to rise, and this rises.
      wall: () => 1 + Math.floor(queue.nowMs),
      after(delayMs, run): Timer {
        const entry = queue.after(delayMs, whileAlive(run));
        return {
          cancel: () => {
            entry.cancelled = true;
          },
        };
      },
      soon: (run) => void queue.soon(whileAlive(run)),
    };
  }

  /** kill -9 */
  end(): void {
    this.#alive = false;
  }
}
