/** Which failures a fault must cause, so that they are no product's fault. */
import type { FaultBand } from '../histories/chronicle.ts';
import type { Failure } from './ledger.ts';

/** The connection to a process was lost after the request had left: nobody can know whether it was carried out. */
const LOST: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

/** In the hands of a data plane that was killed: it went there, and its connection was lost in that moment. */
export function diedInHand(faults: readonly FaultBand[], { via, cause, endMs }: Failure): boolean {
  return (
    LOST.has(cause) &&
    faults.some(({ kind, target, fromMs, toMs }) => {
      return kind === 'data-plane-kill' && target === via && fromMs <= endMs && endMs <= toMs;
    })
  );
}
