/**
 * LEDGER: each request of a client ends exactly once, with a cause.
 *
 *   L1  none is left open;
 *   L2  none ends twice, and none ends that never began;
 *   L3  whatever was not served is told by its cause, and counted.
 */
import { verdict, type Verdict } from './verdict.ts';

export interface ClientRequest {
  readonly workload: string;
  readonly function: string;
  /** The data plane that it went through. */
  readonly via: string;
  /** When it was due: what waits in the client counts too. */
  readonly dueMs: number;
}

/** `served`, or why not: the platform's own reason, the function's status, or what happened to the connection. */
export type Cause = string;

export const SERVED: Cause = 'served';

export interface Failure extends ClientRequest {
  readonly cause: Cause;
  readonly endMs: number;
}

/** Beyond these, failures are counted and no longer told one by one. */
const TOLD_FAILURES = 10_000;

export class Ledger {
  readonly failures: Failure[] = [];
  /** Breaches of L2. */
  readonly breaches: string[] = [];
  readonly #open = new Map<number, ClientRequest>();
  readonly #causes = new Map<Cause, number>();
  #begun = 0;
  #failed = 0;

  /** @returns the number under which it ends */
  begin(request: ClientRequest): number {
    this.#open.set(++this.#begun, request);
    return this.#begun;
  }

  end(id: number, cause: Cause, endMs: number, via?: string): void {
    const request = this.#open.get(id);
    if (request === undefined) {
      this.breaches.push(id <= this.#begun ? `request ${id} ended twice` : `request ${id} never began`);
      return;
    }
    this.#open.delete(id);
    this.#causes.set(cause, (this.#causes.get(cause) ?? 0) + 1);
    if (cause === SERVED) return;
    this.#failed++;
    const failure = { ...request, via: via ?? request.via, cause, endMs };
    if (this.failures.length < TOLD_FAILURES) this.failures.push(failure);
  }

  get begun(): number {
    return this.#begun;
  }

  get open(): number {
    return this.#open.size;
  }

  get failed(): number {
    return this.#failed;
  }

  /** How many ended in which way. */
  causes(): Record<Cause, number> {
    return Object.fromEntries(this.#causes);
  }
}

/** @param isExcused failures that a fault is allowed to cause; a failure that was not told is never excused */
export function judgeLedger(ledger: Ledger, isExcused: (failure: Failure) => boolean = () => false): Verdict {
  const { begun, open, failed, failures, breaches } = ledger;
  const unexcused = failures.filter((failure) => !isExcused(failure));
  const untold = failed - failures.length;
  const wrong = [
    ...(begun === 0 ? ['nobody asked for anything'] : []),
    ...(open > 0 ? [`${open} never ended`] : []),
    ...(untold > 0 ? [`${untold} failures were not told`] : []),
    ...breaches,
    ...unexcused.map(tell),
  ];
  const excused = failures.length - unexcused.length;
  const right = `${begun} requests, each ended once${excused > 0 ? `; ${excused} failed as the faults allow` : ''}`;
  return verdict(wrong, right);
}

function tell({ function: name, via, cause, dueMs, endMs }: Failure): string {
  return `${name} through ${via} at ${(dueMs / 1_000).toFixed(2)} s: ${cause} after ${Math.round(endMs - dueMs)} ms`;
}
