/** Which failures a fault must cause, so that they are no product's fault. */
import type { FaultBand } from '../histories/chronicle.ts';
import type { Failure } from './ledger.ts';

/** The connection to a process was lost after the request had left: nobody can know whether it was carried out. */
const LOST: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

const wasUnder = (faults: readonly FaultBand[], fault: string, { via, endMs }: Failure): boolean =>
  faults.some(({ kind, target, fromMs, toMs }) => {
    return kind === fault && target === via && fromMs <= endMs && endMs <= toMs;
  });

/** In the hands of a data plane that was killed: it went there, and its connection was lost in that moment. */
export function diedInHand(faults: readonly FaultBand[], failure: Failure): boolean {
  return LOST.has(failure.cause) && wasUnder(faults, 'data-plane-kill', failure);
}

/** Through a data plane that could open nothing: its connection was not accepted, or it said that it has no capacity. */
export function hadNoDescriptor(faults: readonly FaultBand[], failure: Failure): boolean {
  const { cause } = failure;
  return (LOST.has(cause) || cause.startsWith('503 ')) && wasUnder(faults, 'fd-exhaustion', failure);
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
