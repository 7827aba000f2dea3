/**
 * The decision of Knative's pod autoscaler, from averages to a scale, as published (pkg/autoscaler/scaling/autoscaler.go).
 * Where it is ours: docs/adr/0008.
 *
 *   A1  panic begins when the panic window wants the threshold times what is ready, and ends a whole stable window after it
 *       last did; while it lasts the scale never falls;
 *   A2  a cycle changes the scale by the rates' factors of what was ready when it began; a limit on growth takes back nothing
 *       that is already on its way (knative/serving#3153).
 */
import type { FunctionSpec, ScalingSpec } from '../model/function.ts';
import type { Bound } from './explanation.ts';

/** Knative's tick: the rates are factors per cycle, however often is decided. */
const CYCLE_MS = 2_000;
/** Knative's smallest. */
const MIN_TARGET = 0.01;

export interface Averages {
  readonly stable: number;
  readonly panic: number;
  /** Requests in flight and queued now. */
  readonly present: number;
}

export interface CurrentScale {
  readonly ready: number;
  readonly starting: number;
}

export interface Capacity {
  /** Requests at once that a sandbox should have. */
  readonly target: number;
  /** Requests at once that it may have. */
  readonly total: number;
}

export interface KpaDecision {
  readonly desired: number;
  /** What the load asks for, before any limit. */
  readonly wanted: number;
  /** The load that the panic window counts: its average, or the present load where that counts at once. */
  readonly panicLoad: number;
  readonly panicUntilMs: number | undefined;
  readonly excessBurst: number;
  readonly bound: Bound | undefined;
}

export class Kpa {
  #panicFromMs: number | undefined;
  #panicScale = 0;
  #cycleFromMs: number = Number.NEGATIVE_INFINITY;
  #cycleReady = 0;

  get panics(): boolean {
    return this.#panicFromMs !== undefined;
  }

  decide(nowMs: number, spec: FunctionSpec, averages: Averages, scale: CurrentScale): KpaDecision {
    const { scaling } = spec;
    const { target, total } = capacityOf(spec);
    const excessBurst = excessBurstOf(scaling.burstCapacity, scale.ready * total, averages.panic);
    const countsAtOnce = scale.ready === 0 || excessBurst < 0;
    const panicLoad = countsAtOnce ? Math.max(averages.panic, averages.present) : averages.panic;
    // Whoever waits or runs needs a sandbox, however short its time was so far.
    const least = averages.present > 0 ? 1 : 0;
    const stableWanted = Math.max(least, Math.ceil(averages.stable / target));
    const panicWanted = Math.max(least, Math.ceil(panicLoad / target));

    if (nowMs - this.#cycleFromMs >= CYCLE_MS) {
      this.#cycleFromMs = nowMs;
      this.#cycleReady = scale.ready;
    }
    const stable = this.#limited(stableWanted, scaling, scale);
    const panic = this.#limited(panicWanted, scaling, scale);
    this.#panic(nowMs, panicWanted / Math.max(1, scale.ready), scaling);
    let desired = stable;
    let wanted = stableWanted;
    if (this.#panicFromMs !== undefined) {
      const current = scale.ready + scale.starting;
      if (this.#panicScale === 0) this.#panicScale = current;
      this.#panicScale = Math.max(this.#panicScale, stable, panic);
      desired = this.#panicScale;
      wanted = Math.max(stableWanted, panicWanted);
    }
    const panicUntilMs =
      this.#panicFromMs === undefined ? undefined : this.#panicFromMs + scaling.stableWindowMs;
    const bound = this.#boundOf(wanted, desired, scaling);
    return { desired, wanted, panicLoad, panicUntilMs, excessBurst, bound };
  }

  /** What was there when panic began, and is heard of only now. */
  found(scale: number): void {
    if (this.panics) this.#panicScale = Math.max(this.#panicScale, scale);
  }

  #boundOf(wanted: number, desired: number, { activation }: ScalingSpec): Bound | undefined {
    if (desired < wanted) return { kind: 'rate-up', scale: desired };
    if (desired === wanted) return undefined;
    if (wanted > 0 && desired === activation) return { kind: 'activation', scale: desired };
    return this.panics ? undefined : { kind: 'rate-down', scale: desired };
  }

  /** A2, then the activation scale: nothing but zero is below it. */
  #limited(wanted: number, scaling: ScalingSpec, { ready, starting }: CurrentScale): number {
    const current = ready + starting;
    const most = Math.max(current, Math.ceil(Math.max(1, this.#cycleReady) * scaling.maxScaleUpRate));
    const fewest = Math.min(current, Math.floor(this.#cycleReady / scaling.maxScaleDownRate));
    const limited = Math.min(Math.max(wanted, fewest), most);
    if (limited >= scaling.activation) return limited;
    return wanted > 0 ? scaling.activation : 0;
  }

  /** A1. */
  #panic(nowMs: number, factor: number, { panicThresholdPct, stableWindowMs }: ScalingSpec): void {
    if (factor >= panicThresholdPct / 100) {
      this.#panicFromMs = nowMs;
    } else if (this.#panicFromMs !== undefined && nowMs > this.#panicFromMs + stableWindowMs) {
      this.#panicFromMs = undefined;
      this.#panicScale = 0;
    }
  }
}

/**
 * The share of a sandbox that is aimed at, and the whole. A hard limit of one request is aimed at in full: 70 % of it would
 * start a second sandbox for each.
 */
export function capacityOf({ scaling, containerConcurrency: hard }: FunctionSpec): Capacity {
  const total = hard > 0 ? Math.min(scaling.target, hard) : scaling.target;
  const share = (total * scaling.targetUtilizationPct) / 100;
  const least = hard > 0 ? Math.min(1, total) : MIN_TARGET;
  return { target: Math.max(share, least), total };
}

/**
 * Room for requests beyond the present load and the burst that is to find room; below zero requests may have to wait.
 * 0 where that is of no interest, -1 where it always is.
 */
function excessBurstOf(burstCapacity: number, capacity: number, load: number): number {
  return burstCapacity > 0 ? Math.floor(capacity - burstCapacity - load) : burstCapacity;
}
