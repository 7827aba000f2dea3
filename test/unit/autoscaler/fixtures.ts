/** Specifications that scale, with Knative's defaults; and a clock in seconds, which reads better. */
import type { FunctionSpec, ScalingSpec } from '../../../src/core/model/function.ts';
import { FunctionScaler, type ScaleDecision } from '../../../src/core/autoscaler/function-scaler.ts';
import { explain } from '../../../src/core/autoscaler/explanation.ts';
import { record } from '../dispatch/fixtures.ts';

export interface Knobs extends Partial<ScalingSpec> {
  /** Hard limit of requests at once; 0 is none. */
  readonly concurrency?: number;
}

/** One sandbox for each request at once, where nothing else is said. */
export function specWith({ concurrency, ...scaling }: Knobs = {}): FunctionSpec {
  const { spec } = record({ hardLimit: concurrency ?? 0 });
  return {
    ...spec,
    scaling: { ...spec.scaling, target: 1, targetUtilizationPct: 100, burstCapacity: 200, ...scaling },
  };
}

/** A scaler that is told the load and asked for a decision, each time with as many sandboxes as it wanted the time before. */
export class Scaled {
  readonly scaler: FunctionScaler;
  ready = 0;
  starting = 0;
  #decision: ScaleDecision | undefined;
  #atMs = 0;

  constructor(knobs: Knobs = {}, sinceSeconds = 0) {
    this.scaler = new FunctionScaler(specWith(knobs), sinceSeconds * 1_000);
  }

  load(seconds: number, load: number): void {
    this.scaler.observe(seconds * 1_000, load);
  }

  /** Decides; what it wants is there at once. @returns the scale */
  at(seconds: number): number {
    this.decide(seconds);
    this.ready = this.desired;
    this.starting = 0;
    return this.desired;
  }

  /** Decides, and nothing comes of it. @returns the scale */
  decide(seconds: number): number {
    this.#atMs = seconds * 1_000;
    this.#decision = this.scaler.decide(this.#atMs, { ready: this.ready, starting: this.starting });
    return this.#decision.desired;
  }

  get desired(): number {
    return this.#decision?.desired ?? 0;
  }

  get panics(): boolean {
    return this.#decision?.why.panicUntilMs !== undefined;
  }

  get settled(): boolean {
    return this.#decision?.settled === true;
  }

  get reason(): string {
    return this.#decision === undefined ? '' : explain(this.#decision.why, this.#atMs);
  }
}
