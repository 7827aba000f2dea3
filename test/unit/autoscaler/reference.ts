/**
 * Knative's pod autoscaler, written down a second time from its published text, to compare ours with. It knows nothing of
 * src/core/autoscaler and is as plain as it can be: lists that are searched from the beginning, one object per step.
 *
 * The text: the comments and formulas of pkg/autoscaler/scaling/autoscaler.go (scale, panic, excess burst capacity),
 * pkg/autoscaler/aggregation/bucketing.go (window averages), pkg/autoscaler/aggregation/max (delay),
 * pkg/reconciler/autoscaling/kpa/scaler.go (bounds, scale to zero), pkg/reconciler/autoscaling/resources (target, windows), and
 * knative.dev/docs/serving/autoscaling. Times are seconds.
 */

export interface ReferenceKnobs {
  readonly target: number;
  readonly targetUtilizationPct: number;
  /** Hard limit of requests at once; 0 is none. */
  readonly concurrency: number;
  readonly min: number;
  readonly max: number;
  readonly activation: number;
  readonly stableWindow: number;
  readonly panicWindowPct: number;
  readonly panicThresholdPct: number;
  readonly maxScaleUpRate: number;
  readonly maxScaleDownRate: number;
  readonly scaleDownDelay: number;
  readonly scaleToZeroGrace: number;
  readonly burstCapacity: number;
}

export interface ReferenceDecision {
  readonly desired: number;
  readonly panics: boolean;
  readonly excessBurst: number;
}

const BUCKET = 1;
const TICK = 2;

/** Average of what was recorded, a value for each second. */
export class ReferenceWindow {
  readonly #length: number;
  readonly #records: { readonly second: number; readonly value: number }[] = [];

  constructor(seconds: number) {
    this.#length = Math.ceil(seconds / BUCKET);
  }

  record(second: number, value: number): void {
    this.#records.push({ second, value });
  }

  /**
   * Over the whole window; over what there is of it where the first write is younger; without its end where the last write is
   * older. After a window without a write it begins anew.
   */
  average(now: number): number {
    const last = this.#records.at(-1);
    if (last === undefined || now - last.second >= this.#length) return 0;
    let first = last.second;
    for (const { second } of [...this.#records].reverse())
      if (first - second < this.#length) first = second;
      else break;
    const recent = this.#records.filter(({ second }) => second > now - this.#length);
    const total = recent.reduce((sum, { value }) => sum + value, 0);
    const buckets = Math.min(last.second - first + 1, this.#length - (now - last.second));
    return Math.floor((total / buckets) * 1e6) / 1e6;
  }
}

/** `target` of the average is what a replica should have, `total` what it may have. */
export function referenceTarget(knobs: ReferenceKnobs): { target: number; total: number } {
  const total = knobs.concurrency === 0 ? knobs.target : Math.min(knobs.target, knobs.concurrency);
  return { target: Math.max(0.01, (total * knobs.targetUtilizationPct) / 100), total };
}

export function panicWindowOf(knobs: ReferenceKnobs): number {
  return Math.max(BUCKET, Math.round((knobs.stableWindow * knobs.panicWindowPct) / 100));
}

/** From averages to the wanted scale: Scale of autoscaler.go. */
export class ReferenceScaler {
  readonly #knobs: ReferenceKnobs;
  #panicTime: number | undefined;
  #maxPanicPods: number;
  readonly #wanted: { readonly tick: number; readonly pods: number }[] = [];

  /** @param ready of an autoscaler that starts while pods are there */
  constructor(knobs: ReferenceKnobs, now: number, ready: number) {
    this.#knobs = knobs;
    this.#panicTime = ready > 1 ? now : undefined;
    this.#maxPanicPods = ready;
  }

  scale(now: number, stable: number, panic: number, originalReady: number): ReferenceDecision {
    const knobs = this.#knobs;
    const { target, total } = referenceTarget(knobs);
    const ready = Math.max(1, originalReady);
    const maxScaleUp = Math.ceil(knobs.maxScaleUpRate * ready);
    const maxScaleDown = Math.floor(ready / knobs.maxScaleDownRate);
    const stableWanted = Math.ceil(stable / target);
    const panicWanted = Math.ceil(panic / target);
    let stablePods = Math.min(Math.max(stableWanted, maxScaleDown), maxScaleUp);
    let panicPods = Math.min(Math.max(panicWanted, maxScaleDown), maxScaleUp);
    if (stableWanted > 0) stablePods = Math.max(stablePods, knobs.activation);
    if (panicWanted > 0) panicPods = Math.max(panicPods, knobs.activation);

    const isOver = panicWanted / ready >= knobs.panicThresholdPct / 100;
    if (isOver) {
      this.#panicTime = now;
    } else if (this.#panicTime !== undefined && this.#panicTime + knobs.stableWindow < now) {
      this.#panicTime = undefined;
      this.#maxPanicPods = 0;
    }
    let desired = stablePods;
    const panics = this.#panicTime !== undefined;
    if (panics) {
      this.#maxPanicPods = Math.max(this.#maxPanicPods, stablePods, panicPods);
      desired = this.#maxPanicPods;
    }
    desired = this.#delayed(now, desired);
    const burst = knobs.burstCapacity;
    const excessBurst = burst > 0 ? Math.floor(originalReady * total - burst - panic) : burst;
    return { desired, panics, excessBurst };
  }

  /** The most that was wanted in as many ticks as the delay has. */
  #delayed(now: number, pods: number): number {
    const delay = this.#knobs.scaleDownDelay;
    if (delay === 0) return pods;
    const tick = Math.floor(now / TICK);
    this.#wanted.push({ tick, pods });
    const ticks = Math.ceil(delay / TICK);
    return Math.max(...this.#wanted.filter((one) => tick - one.tick < ticks).map((one) => one.pods));
  }
}

/** Bounds and scale to zero: scaler.go. */
export class ReferenceReconciler {
  readonly #knobs: ReferenceKnobs;
  #inactiveSince: number | undefined;

  constructor(knobs: ReferenceKnobs) {
    this.#knobs = knobs;
  }

  /** @param ready stays as it is where nothing is to be applied */
  apply(now: number, wanted: number, ready: number): number {
    const { min, max, scaleToZeroGrace } = this.#knobs;
    let desired = Math.max(wanted, min);
    if (max > 0) desired = Math.min(desired, max);
    if (desired > 0 || ready === 0) {
      this.#inactiveSince = undefined;
      return desired;
    }
    this.#inactiveSince ??= now;
    return now - this.#inactiveSince >= scaleToZeroGrace ? 0 : ready;
  }
}

/** All of it: a load for each second, a decision whenever it is asked for. */
export class ReferenceAutoscaler {
  readonly #stable: ReferenceWindow;
  readonly #panic: ReferenceWindow;
  readonly #scaler: ReferenceScaler;
  readonly #reconciler: ReferenceReconciler;
  readonly #knobs: ReferenceKnobs;
  readonly #burst: boolean;
  #load = 0;

  /** @param burst not published, but ours: while there is no room for the burst, the present load counts at once */
  constructor(knobs: ReferenceKnobs, now: number, ready: number, burst: boolean) {
    this.#knobs = knobs;
    this.#burst = burst;
    this.#stable = new ReferenceWindow(knobs.stableWindow);
    this.#panic = new ReferenceWindow(panicWindowOf(knobs));
    this.#scaler = new ReferenceScaler(knobs, now, ready);
    this.#reconciler = new ReferenceReconciler(knobs);
  }

  record(second: number, load: number): void {
    this.#stable.record(second, load);
    this.#panic.record(second, load);
    this.#load = load;
  }

  decide(now: number, ready: number): ReferenceDecision {
    const average = this.#panic.average(now);
    const burst = this.#knobs.burstCapacity;
    const room = ready * referenceTarget(this.#knobs).total - average;
    const isShort = ready === 0 || burst < 0 || (burst > 0 && Math.floor(room - burst) < 0);
    const panic = this.#burst && isShort ? Math.max(average, this.#load) : average;
    const decision = this.#scaler.scale(now, this.#stable.average(now), panic, ready);
    return { ...decision, desired: this.#reconciler.apply(now, decision.desired, ready) };
  }
}
