/**
 * Operating errors: typed, with a stable code that callers may branch on, the fields that name what is wrong, and a
 * hint that says what to do. A message never repeats its cause; whoever prints walks the chain.
 */
export type ErrorCode =
  | 'invalid-argument' // a field is wrong; `fields.path` names it
  | 'not-found'
  | 'already-exists'
  | 'conflict' // ifGeneration did not match, or the request id is in use for another request
  | 'request-expired' // the request id is based at or below the highest evicted index
  | 'too-large'
  | 'no-leader' // nobody leads now; the request did not take effect
  | 'not-leader' // this replica does not lead; `fields.leader` may name who does
  | 'no-quorum' // `fields.missing` names the replicas that did not answer; the outcome may be unknown
  | 'outcome-unknown' // the request may or may not take effect; retry with the same request id
  | 'trial-failed' // the function did not start; `fields.log` has its own error and stack
  | 'no-capacity'
  | 'not-synced' // whoever was asked is too new to tell; the same one knows soon
  | 'unsupported' // known by name, not there yet
  | 'unauthorized'
  | 'fenced' // a lower fence, or an older incarnation, was refused
  | 'damaged' // stored data fails its checksum
  | 'wrong-cluster'
  | 'not-bootstrapped'
  | 'io' // disk or socket failed; cause has the system error
  | 'timeout'
  | 'no-responders'
  | 'disconnected'
  | 'unavailable'
  | 'canceled'
  | 'internal';

export type ErrorFields = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

export class BatonError extends Error {
  override readonly name = 'BatonError';
  readonly code: ErrorCode;
  readonly fields: ErrorFields;
  readonly hint: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { fields?: ErrorFields; hint?: string; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.fields = options.fields ?? {};
    this.hint = options.hint;
  }
}

export function isBatonError(error: unknown, code?: ErrorCode): error is BatonError {
  return error instanceof BatonError && (code === undefined || error.code === code);
}

/** The chain of messages, outermost first, joined by ": ", bounded in depth. */
export function explain(error: unknown): string {
  const parts: string[] = [];
  let current: unknown = error;
  for (let depth = 0; depth < 8 && current !== undefined && current !== null; depth++) {
    if (!(current instanceof Error)) {
      parts.push(typeof current === 'string' ? current : JSON.stringify(current));
      break;
    }
    parts.push(current.message);
    current = current.cause;
  }
  return parts.join(': ');
}
