/** BatonError ↔ gRPC status ↔ HTTP status. The whole error travels, so that a client sees the same one. */
import { Metadata, status, type ServiceError, type StatusObject } from '@grpc/grpc-js';
import { BatonError, type ErrorCode, type ErrorFields } from '../lib/errors.ts';

const DETAIL_KEY = 'baton-error';

const CODES: Readonly<Record<ErrorCode, readonly [grpc: status, http: number]>> = {
  'invalid-argument': [status.INVALID_ARGUMENT, 400],
  'not-found': [status.NOT_FOUND, 404],
  'already-exists': [status.ALREADY_EXISTS, 409],
  conflict: [status.FAILED_PRECONDITION, 409],
  'request-expired': [status.FAILED_PRECONDITION, 409],
  'too-large': [status.RESOURCE_EXHAUSTED, 413],
  'no-leader': [status.UNAVAILABLE, 503],
  'not-leader': [status.UNAVAILABLE, 503],
  'no-quorum': [status.UNAVAILABLE, 503],
  'outcome-unknown': [status.ABORTED, 503],
  'trial-failed': [status.FAILED_PRECONDITION, 422],
  'no-capacity': [status.RESOURCE_EXHAUSTED, 503],
  'not-synced': [status.UNAVAILABLE, 503],
  unsupported: [status.UNIMPLEMENTED, 501],
  unauthorized: [status.UNAUTHENTICATED, 401],
  fenced: [status.FAILED_PRECONDITION, 409],
  damaged: [status.DATA_LOSS, 500],
  'wrong-cluster': [status.FAILED_PRECONDITION, 409],
  'not-bootstrapped': [status.FAILED_PRECONDITION, 409],
  io: [status.INTERNAL, 500],
  timeout: [status.DEADLINE_EXCEEDED, 504],
  'no-responders': [status.UNAVAILABLE, 503],
  disconnected: [status.UNAVAILABLE, 503],
  unavailable: [status.UNAVAILABLE, 503],
  canceled: [status.CANCELLED, 499],
  internal: [status.INTERNAL, 500],
};

export interface ErrorBody {
  readonly code: ErrorCode;
  readonly message: string;
  readonly fields: ErrorFields;
  readonly hint: string | undefined;
}

/** What is not a BatonError is a bug: its text stays in the log. */
export function errorBody(error: unknown): ErrorBody {
  if (!(error instanceof BatonError)) {
    return {
      code: 'internal',
      message: 'internal error',
      fields: {},
      hint: 'the replica’s log has the details',
    };
  }
  const { code, message, fields, hint } = error;
  return { code, message, fields, hint };
}

export const httpStatusOf = (code: ErrorCode): number => CODES[code][1];

export function toGrpc(error: unknown): Partial<StatusObject> {
  const body = errorBody(error);
  const metadata = new Metadata();
  metadata.set(DETAIL_KEY, encodeURIComponent(JSON.stringify(body)));
  return { code: CODES[body.code][0], details: body.message, metadata };
}

export function fromGrpc(error: ServiceError): BatonError {
  const detail = error.metadata?.get(DETAIL_KEY)[0];
  if (typeof detail === 'string') {
    const body = JSON.parse(decodeURIComponent(detail)) as ErrorBody;
    return new BatonError(body.code, body.message, {
      fields: body.fields,
      ...(body.hint === undefined ? {} : { hint: body.hint }),
    });
  }
  if (error.code === status.DEADLINE_EXCEEDED)
    return new BatonError('timeout', 'no answer in time', { cause: error });
  if (error.code === status.CANCELLED) return new BatonError('canceled', 'the call was canceled');
  if (error.code === status.UNIMPLEMENTED)
    return new BatonError('unsupported', error.details, { cause: error });
  return new BatonError('disconnected', 'the replica cannot be reached', { cause: new Error(error.details) });
}
