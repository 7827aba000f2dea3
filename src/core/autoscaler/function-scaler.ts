/**
 * Knative's pod autoscaler (KPA) for one function, from its published algorithm: desired = ceil(average concurrency /
 * target), over a stable and a panic window.
 *
 *   K1  panic begins when the panic window's desired scale reaches the threshold times the ready scale; while it lasts the
 *       scale never falls, and it ends a whole stable window after the threshold was last exceeded (knative/serving#3153);
 *   K2  no scale-down before the scaler has watched for a full stable window: a new leader's empty memory is not evidence
 *       of idleness (knative/serving#2930);
 *   K3  scale to zero waits for an idle stable window and then the grace.
 */
import type { FunctionSpec } from '../model/function.ts';
import { ConcurrencyWindow } from './window.ts';

export interface ScaleDecision {
  readonly desired: number;
  readonly panic: boolean;
  /** For people: why it is at this scale. */
  readonly reason: string;
}

export interface CurrentScale {
  readonly ready: number;
  readonly starting: number;
}

const BUCKETS_PER_WINDOW = 60;

export class FunctionScaler {
  #spec: FunctionSpec;
  #window: ConcurrencyWindow;
  readonly #sinceMs: number;
  #latest = 0;
  #panicUntilMs: number = Number.NEGATIVE_INFINITY;
  #panicPeak = 0;
  #idleSinceMs: number;
  /** Recent desired scales, for the scale-down delay: the highest within the delay wins. */
  #delayed: { atMs: number; desired: number }[] = [];

  constructor(spec: FunctionSpec, nowMs: number) {
    this.#spec = spec;
    this.#window = newWindow(spec);
    this.#sinceMs = nowMs;
    this.#idleSinceMs = nowMs;
  }

  /** A new generation may have other knobs; what was observed stays where the window is the same. */
  update(spec: FunctionSpec): void {
    if (spec.scaling.stableWindowMs !== this.#spec.scaling.stableWindowMs) this.#window = newWindow(spec);
    this.#spec = spec;
  }

  /** @param concurrency requests in flight and queued, summed over all data planes */
  observe(nowMs: number, concurrency: number): void {
    this.#window.record(nowMs, concurrency);
    if (concurrency > 0) this.#idleSinceMs = nowMs;
    this.#latest = concurrency;
  }

  get latest(): number {
    return this.#latest;
  }

  /** Nothing can change before something is observed: no timer is needed for this function. */
  isSettled(nowMs: number, scale: CurrentScale): boolean {
    const { min } = this.#spec.scaling;
    return (
      this.#latest === 0 &&
      scale.ready + scale.starting === min &&
      nowMs - this.#idleSinceMs > this.#spec.scaling.stableWindowMs
    );
  }

  decide(nowMs: number, scale: CurrentScale): ScaleDecision {
    const { scaling } = this.#spec;
    const target = targetOf(this.#spec);
    const current = scale.ready + scale.starting;
    const ready = Math.max(1, scale.ready);
    const stableAverage = this.#window.average(nowMs, scaling.stableWindowMs);
    const panicSpanMs = Math.max(1_000, (scaling.stableWindowMs * scaling.panicWindowPct) / 100);
    const panicAverage = Math.max(this.#window.average(nowMs, panicSpanMs), this.#latest);

    const up = Math.ceil(ready * scaling.maxScaleUpRate);
    const down = Math.floor(current / scaling.maxScaleDownRate);
    const bound = (value: number): number => Math.min(Math.max(value, down), Math.max(up, 1));
    const stable = bound(Math.ceil(stableAverage / target));
    const panic = bound(Math.ceil(panicAverage / target));

    if (panic >= (ready * scaling.panicThresholdPct) / 100 && panic > current) {
      this.#panicUntilMs = nowMs + scaling.stableWindowMs;
    }
    const isPanic = nowMs < this.#panicUntilMs;
    let desired = stable;
    let reason = `stable window: ${stableAverage.toFixed(2)} concurrent over a target of ${target}`;
    if (isPanic) {
      this.#panicPeak = Math.max(this.#panicPeak, panic, Math.min(current, this.#panicPeak || current));
      desired = this.#panicPeak;
      reason = `panic window: ${panicAverage.toFixed(2)} concurrent over a target of ${target}`;
    } else {
      this.#panicPeak = 0;
    }
    // A request that waits now needs a sandbox now, whatever the windows say.
    if (this.#latest > 0 && desired < 1) desired = 1;
    return this.#bounded(nowMs, scale, desired, isPanic, reason);
  }

  #bounded(nowMs: number, scale: CurrentScale, wanted: number, panic: boolean, why: string): ScaleDecision {
    const { scaling } = this.#spec;
    const current = scale.ready + scale.starting;
    let desired = wanted;
    let reason = why;
    if (desired > 0 && current === 0) desired = Math.max(desired, scaling.activation);
    desired = this.#delay(nowMs, desired);
    if (desired < current && nowMs - this.#sinceMs < scaling.stableWindowMs) {
      desired = current;
      reason = 'watching for a full stable window before scaling down';
    }
    if (desired === 0 && current > 0) {
      const idleMs = nowMs - this.#idleSinceMs;
      if (idleMs < scaling.stableWindowMs + scaling.scaleToZeroGraceMs) {
        desired = Math.min(current, 1);
        reason = 'idle, within the window and grace before zero';
      } else {
        reason = 'idle';
      }
    }
    if (desired < scaling.min) {
      desired = scaling.min;
      reason = `minimum ${scaling.min}`;
    }
    if (scaling.max > 0 && desired > scaling.max) {
      desired = scaling.max;
      reason = `maximum ${scaling.max}`;
    }
    return { desired, panic, reason };
  }

  #delay(nowMs: number, desired: number): number {
    const { scaleDownDelayMs } = this.#spec.scaling;
    if (scaleDownDelayMs === 0) return desired;
    this.#delayed = this.#delayed.filter(
      (entry) => entry.atMs > nowMs - scaleDownDelayMs && entry.desired > desired,
    );
    this.#delayed.push({ atMs: nowMs, desired });
    return Math.max(...this.#delayed.map((entry) => entry.desired));
  }
}

function newWindow(spec: FunctionSpec): ConcurrencyWindow {
  const { stableWindowMs } = spec.scaling;
  return new ConcurrencyWindow(stableWindowMs, Math.max(100, stableWindowMs / BUCKETS_PER_WINDOW));
}

/** Concurrency per sandbox that scaling aims at: the soft target's share, never above the hard limit's. */
function targetOf(spec: FunctionSpec): number {
  const { target, targetUtilizationPct } = spec.scaling;
  const hard = spec.containerConcurrency;
  const aim = hard > 0 ? Math.min(target, hard) : target;
  return Math.max(0.01, hard === 1 ? 1 : (aim * targetUtilizationPct) / 100);
}
