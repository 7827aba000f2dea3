/** A lower scale must have been wanted for the whole delay: the highest of what was wanted within it. */
import { limits } from '../../lib/limits.ts';

interface Step {
  /** When this much was wanted last. */
  atMs: number;
  readonly sinceMs: number;
  readonly desired: number;
}

export class ScaleDownDelay {
  /** Falling: what is not above a later step can never matter again. */
  #steps: Step[] = [];

  /** @returns the scale to keep */
  apply(nowMs: number, desired: number, delayMs: number): number {
    if (delayMs === 0) {
      this.#steps.length = 0;
      return desired;
    }
    const steps = this.#steps;
    for (let last = steps.at(-1); last !== undefined && last.desired <= desired; last = steps.at(-1))
      steps.pop();
    const last = steps.at(-1);
    // Steps closer than this are one, the higher: its delay is longer by that much, never shorter.
    if (last !== undefined && nowMs - last.sinceMs < delayMs / limits.delaySteps) last.atMs = nowMs;
    else steps.push({ atMs: nowMs, sinceMs: nowMs, desired });
    let expired = 0;
    while (expired < steps.length - 1 && nowMs - (steps[expired]?.atMs ?? 0) >= delayMs) expired++;
    if (expired > 0) steps.splice(0, expired);
    return Math.max(desired, steps[0]?.desired ?? 0);
  }

  /** When the highest step falls away, if nothing else is wanted before. */
  untilMs(delayMs: number): number {
    return (this.#steps[0]?.atMs ?? 0) + delayMs;
  }

  /** Nothing above this is remembered. */
  isOver(scale: number): boolean {
    return (this.#steps[0]?.desired ?? 0) <= scale;
  }
}
