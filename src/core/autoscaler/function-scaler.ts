/**
 * One function's scale: Knative's decision (kpa.ts) over what was observed, and what may hold it.
 *
 *   K1  while it panics the scale never falls, and leaving panic does not undo what is on its way (kpa.ts, A1 and A2);
 *   K2  no scale-down before the scaler has watched for a full stable window: a new leader's empty memory is not evidence
 *       of idleness (knative/serving#2930);
 *   K3  scale to zero waits for an idle stable window and then the grace, at the smallest scale that is not zero;
 *   K4  with nothing in flight, at its minimum and with nothing to wait for, it costs neither time nor memory.
 */
import type { FunctionSpec, ScalingSpec } from '../model/function.ts';
import type { Bound, Explanation } from './explanation.ts';
import { capacityOf, Kpa, type CurrentScale } from './kpa.ts';
import { ScaleDownDelay } from './scale-down-delay.ts';
import { ConcurrencyWindow, type WindowSpans } from './window.ts';

export interface ScaleDecision {
  readonly desired: number;
  /** K4: the next decision is the same until something is observed or its sandboxes change. */
  readonly settled: boolean;
  readonly why: Explanation;
}

/** A scale, and what it was that led to it last: whatever bounded it before makes no difference any more. */
interface Bounded {
  readonly scale: number;
  readonly bound: Bound | undefined;
}

/** Knative's smallest panic window; of a shorter stable window it is the whole. */
const MIN_PANIC_WINDOW_MS = 1_000;

export class FunctionScaler {
  #spec: FunctionSpec;
  #window: ConcurrencyWindow;
  readonly #sinceMs: number;
  #idleSinceMs: number;
  /** When nothing was wanted first, in a row; undefined while something is. */
  #unwantedSinceMs: number | undefined;
  readonly #kpa = new Kpa();
  readonly #delay = new ScaleDownDelay();

  constructor(spec: FunctionSpec, nowMs: number) {
    this.#spec = spec;
    this.#window = new ConcurrencyWindow(spansOf(spec.scaling));
    this.#sinceMs = nowMs;
    this.#idleSinceMs = nowMs;
  }

  /** A new generation may have other knobs; what was observed stays, as far as its windows reach. */
  update(spec: FunctionSpec): void {
    const before = this.#spec.scaling;
    const { stableWindowMs, panicWindowPct } = spec.scaling;
    this.#spec = spec;
    if (stableWindowMs !== before.stableWindowMs || panicWindowPct !== before.panicWindowPct)
      this.#window = this.#window.resized(spansOf(spec.scaling));
  }

  /** @param load requests in flight and queued, summed over all data planes, from now on */
  observe(nowMs: number, load: number): void {
    if (load > 0 || this.#window.load > 0) this.#idleSinceMs = nowMs;
    this.#window.observe(nowMs, load);
  }

  get latest(): number {
    return this.#window.load;
  }

  decide(nowMs: number, scale: CurrentScale): ScaleDecision {
    const { scaling } = this.#spec;
    const current = scale.ready + scale.starting;
    this.#window.advance(nowMs);
    const averages = {
      stable: this.#window.stableAverage,
      panic: this.#window.panicAverage,
      present: this.#window.load,
    };
    const kpa = this.#kpa.decide(nowMs, this.#spec, averages, scale);
    const wanted: Bounded = { scale: kpa.desired, bound: kpa.bound };
    const { scale: desired, bound } = this.#within(this.#held(nowMs, this.#delayed(nowMs, wanted), current));
    const why: Explanation = {
      stableLoad: averages.stable,
      panicLoad: kpa.panicLoad,
      target: capacityOf(this.#spec).target,
      stableWindowMs: scaling.stableWindowMs,
      wanted: kpa.wanted,
      panicUntilMs: kpa.panicUntilMs,
      excessBurst: kpa.excessBurst,
      bound,
    };
    const settled = this.#isSettled(nowMs, desired, current);
    // As Knative's, which measures nothing at zero: what comes next is not averaged with the silence.
    if (settled && current === 0) this.#window.restart();
    return { desired, settled, why };
  }

  #delayed(nowMs: number, wanted: Bounded): Bounded {
    const { scaleDownDelayMs } = this.#spec.scaling;
    const scale = this.#delay.apply(nowMs, wanted.scale, scaleDownDelayMs);
    if (scale === wanted.scale) return wanted;
    return { scale, bound: { kind: 'delay', scale, untilMs: this.#delay.untilMs(scaleDownDelayMs) } };
  }

  /** K2 and K3. */
  #held(nowMs: number, wanted: Bounded, current: number): Bounded {
    this.#unwantedSinceMs = wanted.scale === 0 ? (this.#unwantedSinceMs ?? nowMs) : undefined;
    const { stableWindowMs, scaleToZeroGraceMs, activation } = this.#spec.scaling;
    const watchedMs = this.#sinceMs + stableWindowMs;
    if (wanted.scale < current && nowMs <= watchedMs) {
      this.#kpa.found(current);
      return { scale: current, bound: { kind: 'watching', scale: current, untilMs: watchedMs } };
    }
    const idleMs = Math.max(this.#idleSinceMs + stableWindowMs, this.#unwantedSinceMs ?? nowMs);
    const zeroMs = idleMs + scaleToZeroGraceMs;
    if (wanted.scale > 0 || current === 0 || nowMs >= zeroMs) return wanted;
    const scale = Math.min(current, activation);
    return { scale, bound: { kind: 'last-sandbox', scale, untilMs: zeroMs } };
  }

  #within(wanted: Bounded): Bounded {
    const { min, max } = this.#spec.scaling;
    if (max > 0 && Math.max(wanted.scale, min) > max)
      return { scale: max, bound: { kind: 'max', scale: max } };
    return wanted.scale < min ? { scale: min, bound: { kind: 'min', scale: min } } : wanted;
  }

  #isSettled(nowMs: number, desired: number, current: number): boolean {
    const { min, stableWindowMs } = this.#spec.scaling;
    return (
      this.#window.load === 0 &&
      desired === min &&
      current === min &&
      nowMs - this.#idleSinceMs > stableWindowMs &&
      !this.#kpa.panics &&
      this.#delay.isOver(min)
    );
  }
}

function spansOf({ stableWindowMs, panicWindowPct }: ScalingSpec): WindowSpans {
  const panicMs = Math.max(MIN_PANIC_WINDOW_MS, (stableWindowMs * panicWindowPct) / 100);
  return { stableMs: stableWindowMs, panicMs: Math.min(stableWindowMs, panicMs) };
}
