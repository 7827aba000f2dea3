/** Which failures a fault must cause, so that they are no product's fault. */
import type { FaultBand } from '../histories/chronicle.ts';
import type { Failure } from './ledger.ts';

/** The connection to a process was lost after the request had left: nobody can know whether it was carried out. */
const LOST: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

/** In the hands of a data plane that was killed: it went there, and its connection was lost in that moment. */
export function diedInHand(faults: readonly FaultBand[], { cause, via, endMs }: Failure): boolean {
  return (
    LOST.has(cause) &&
    faults.some(({ kind, target, fromMs, toMs }) => {
      return kind === 'data-plane-kill' && target === via && fromMs <= endMs && endMs <= toMs;
    })
  );
}

/** What was turned away is read so little later. */
const READ_MS = 1_000;

/**
 * Through a data plane that could open nothing: its connection was not accepted, or it said that it has no capacity. It came while that
 * was so; that it was turned away may be read a little later than that new callers are answered again.
 */
export function hadNoDescriptor(
  faults: readonly FaultBand[],
  { cause, via, dueMs, endMs }: Failure,
): boolean {
  return (
    (LOST.has(cause) || cause.startsWith('503 ')) &&
    faults.some(({ kind, target, fromMs, toMs }) => {
      return (
        kind === 'fd-exhaustion' &&
        target === via &&
        fromMs <= endMs &&
        dueMs <= toMs &&
        endMs <= toMs + READ_MS
      );
    })
  );
}

/** What outlives its worker ends as soon as it notices. */
const DYING_MS = 250;

/** In the hands of a sandbox that was killed, or whose worker was: it was there before all of them were gone. */
export function diedWithSandbox(faults: readonly FaultBand[], { cause, dueMs, endMs }: Failure): boolean {
  return (
    cause === '502 sandbox-crashed' &&
    faults.some(({ kind, fromMs, toMs }) => {
      const isDeadly = kind === 'worker-kill' || kind === 'sandbox-crash';
      return isDeadly && dueMs <= fromMs + DYING_MS && fromMs <= endMs && endMs <= toMs;
    })
  );
}

/** What a data plane says of a request whose sandbox did not answer, or not properly. */
const UNANSWERED: ReadonlySet<string> = new Set(['504 function-timeout', '502 sandbox-crashed']);
/** Went to the one sandbox that was silent or reset its connections, in that time or so little before that it was still there. */
export function sentIntoSilence(
  faults: readonly FaultBand[],
  { function: name, cause, dueMs }: Failure,
  timeoutMs: number,
): boolean {
  return (
    UNANSWERED.has(cause) &&
    faults.some(({ kind, target, fromMs, toMs }) => {
      const isDeaf = kind === 'sandbox-timeout' || kind === 'sandbox-reset_peer';
      return isDeaf && target === name && fromMs - timeoutMs <= dueMs && dueMs <= toMs;
    })
  );
}
