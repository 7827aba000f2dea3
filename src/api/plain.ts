/**
 * Messages as people and programs read them, for JSON.stringify and the like: what a newer replica sent beyond our schema is kept to
 * be passed on, as bytes, and is no part of what is shown.
 */
export function withoutUnknown(key: unknown, value: unknown): unknown {
  return key === '_unknownFields' ? undefined : value;
}
