/**
 * Assertions are for programmer errors and stay on in production (TigerStyle). An operating error (a full disk, a
 * malformed message, a lost peer) is never an assertion: it is a {@link BatonError}.
 */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Closes an exhaustive switch: a new member of the union does not compile until it is handled. */
export function unreachable(value: never, what = 'value'): never {
  throw new AssertionError(`unreachable ${what}: ${JSON.stringify(value)}`);
}
