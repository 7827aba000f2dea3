/** A caller's request: it ends once, in one way (LEDGER). */
import type { RejectReason } from '../../../src/core/dispatch/effects.ts';
import type { ErrorReason } from '../../../src/data-plane/answers.ts';

export type Outcome =
  'ok' | 'sandbox died' | 'data plane died' | 'function timeout' | 'no leader' | RejectReason | ErrorReason;

export class Request {
  readonly name: string;
  /** When its caller sent it. */
  readonly beganMs: number;
  outcome: Outcome | undefined = undefined;
  readonly #onEnd: (outcome: Outcome) => void;

  constructor(name: string, beganMs: number, onEnd: (outcome: Outcome) => void = () => undefined) {
    this.name = name;
    this.beganMs = beganMs;
    this.#onEnd = onEnd;
  }

  end(outcome: Outcome): void {
    if (this.outcome !== undefined)
      throw new Error(`a request that ended as "${this.outcome}" ends again as "${outcome}"`);
    this.outcome = outcome;
    this.#onEnd(outcome);
  }

  /** The same request at another data plane. */
  hop(onEnd: (outcome: Outcome) => void): Request {
    return new Request(this.name, this.beganMs, onEnd);
  }
}
