/**
 * How far a new leader has come in reconstruction, and when it got there: announced (nobody is known yet), known workers (some
 * are, and they are waited for), reconciled. It decides nothing (reconstruction.ts does); it is what people are told.
 */
import type { ReconstructionView } from './types.ts';

export class Progress {
  readonly #startedMs: number;
  #known = 0;
  #reported = 0;
  #firstWorkerMs: number | undefined;
  #allReportedMs: number | undefined;
  #reconciledMs: number | undefined;

  constructor(startedMs: number) {
    this.#startedMs = startedMs;
  }

  /** A worker was heard for the first time, or a data plane named it. */
  known(nowMs: number): void {
    this.#known++;
    this.#firstWorkerMs ??= nowMs - this.#startedMs;
    if (this.#reconciledMs === undefined) this.#allReportedMs = undefined;
  }

  /** One of them has said for the first time under this term all that it runs. */
  reported(nowMs: number): void {
    this.#reported++;
    if (this.#reconciledMs === undefined && this.#reported === this.#known)
      this.#allReportedMs = nowMs - this.#startedMs;
  }

  reconciled(nowMs: number): void {
    this.#reconciledMs = nowMs - this.#startedMs;
  }

  view(nowMs: number): ReconstructionView {
    return {
      phase: this.#phase,
      ageMs: nowMs - this.#startedMs,
      knownWorkers: this.#known,
      reportedWorkers: this.#reported,
      firstWorkerMs: this.#firstWorkerMs,
      allReportedMs: this.#allReportedMs,
      reconciledMs: this.#reconciledMs,
    };
  }

  get #phase(): ReconstructionView['phase'] {
    if (this.#reconciledMs !== undefined) return 'reconciled';
    return this.#known === 0 ? 'announced' : 'known-workers';
  }
}
