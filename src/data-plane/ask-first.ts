/**
 * A data plane that begins from its file may be behind what was acknowledged while it was down, or in the moment before. So it
 * asks first: requests wait until a leader that has heard of this life (and waits for it from then on) has said what there is,
 * or until there was nobody to ask for a while.
 */
import type { Clock, Timer } from '../ports/system.ts';

export class AskFirst {
  readonly #clock: Clock;
  readonly #maxWaiting: number;
  #waiting: (() => void)[] | undefined;
  #timer: Timer | undefined;

  constructor(clock: Clock, maxWaiting: number) {
    this.#clock = clock;
    this.#maxWaiting = maxWaiting;
  }

  get isAsking(): boolean {
    return this.#waiting !== undefined;
  }

  begin(giveUpMs: number): void {
    this.#waiting = [];
    this.#timer = this.#clock.after(giveUpMs, () => this.end());
  }

  /** Everything that waits goes on, in its order. */
  end(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    this.#timer?.cancel();
    for (const run of waiting) run();
  }

  /** False: too much waits. */
  wait(run: () => void): boolean {
    if (this.#waiting === undefined || this.#waiting.length >= this.#maxWaiting) return false;
    this.#waiting.push(run);
    return true;
  }
}
