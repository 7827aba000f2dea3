/** A clock that stands still until it is told to move, and runs what was put off only when asked. */
import type { Clock, Timer } from '../../../src/ports/system.ts';

export class ManualClock implements Clock {
  nowMs = 0;
  #soon: (() => void)[] = [];
  readonly #timers = new Set<{ readonly atMs: number; readonly run: () => void }>();

  now(): number {
    return this.nowMs;
  }

  wall(): number {
    return 1_700_000_000_000 + this.nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    const timer = { atMs: this.nowMs + delayMs, run };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  soon(run: () => void): void {
    this.#soon.push(run);
  }

  /** What was put off by now, not what that puts off in turn. False when nothing was. */
  turn(): boolean {
    const work = this.#soon;
    this.#soon = [];
    for (const run of work) run();
    return work.length > 0;
  }

  settle(): void {
    while (this.turn());
  }

  get timers(): number {
    return this.#timers.size;
  }

  advance(ms: number): void {
    this.nowMs += ms;
    const due = [...this.#timers].filter((timer) => timer.atMs <= this.nowMs).sort((a, b) => a.atMs - b.atMs);
    for (const timer of due) {
      this.#timers.delete(timer);
      timer.run();
      this.settle();
    }
  }
}
