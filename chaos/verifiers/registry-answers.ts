/** What an answer of the registry says about the operation, in the simulator and on real processes alike. */
import { isBatonError, type ErrorCode } from '../../src/lib/errors.ts';
import type { RegistryOutput } from './registry-model.ts';

/** What one call came to. */
export type Attempt =
  | { readonly kind: 'done'; readonly output: RegistryOutput }
  /** It may have happened, or may yet. */
  | { readonly kind: 'unclear'; readonly code: ErrorCode }
  /** It did not happen, and never will under its request id, whatever became of earlier calls. */
  | { readonly kind: 'refused'; readonly code: ErrorCode };

/** Of calls whose outcome is open: they may have taken effect, or may yet. */
const OPEN: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  // Lost on the way to a replica, between two of them, or on the way back.
  'timeout',
  'disconnected',
  'canceled',
  'unavailable',
  // Whoever was asked first may have taken it before nobody led, or another did.
  'not-leader',
  'no-leader',
  'no-quorum',
  'outcome-unknown',
  // Too old to tell.
  'request-expired',
]);

/** @returns undefined for what no client of the registry should ever be told */
export function attemptOf(error: unknown): Attempt | undefined {
  if (!isBatonError(error)) return undefined;
  const { code, fields } = error;
  // A registration whose artifact is missing is refused with the same code, and names the field.
  if (code === 'not-found' && fields['path'] === undefined)
    return { kind: 'done', output: { kind: 'absent' } };
  if (code === 'conflict' && typeof fields['generation'] === 'number')
    return { kind: 'done', output: { kind: 'conflict', generation: fields['generation'] } };
  if ((code === 'not-found' && fields['path'] === 'artifact') || code === 'no-capacity')
    return { kind: 'refused', code };
  return OPEN.has(code) ? { kind: 'unclear', code } : undefined;
}
