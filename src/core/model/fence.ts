/**
 * The order of authority. An epoch rises only by bootstrap, restore or `recover --force`; a term by election. Whoever
 * has seen a fence refuses anything lower (invariant R4).
 */
export interface Fence {
  readonly epoch: number;
  readonly term: number;
}

export const NO_FENCE: Fence = { epoch: 0, term: 0 };

/** Negative when `a` is lower than `b`, positive when higher, 0 when they are equal. */
export function compareFence(a: Fence, b: Fence): number {
  return a.epoch - b.epoch || a.term - b.term;
}

/**
 * One life of a process under its id: `ms` = max(persisted + 1, wall clock), so a later life is higher; the nonce tells
 * two processes apart that claim the same life.
 */
export interface Incarnation {
  readonly ms: number;
  readonly nonce: number;
}

export const NO_INCARNATION: Incarnation = { ms: 0, nonce: 0 };

export type IncarnationOrder = 'same' | 'older' | 'newer' | 'duplicate';

/** How `seen` relates to `known`. `duplicate` is the same millisecond with another nonce: two processes, one id. */
export function orderIncarnation(seen: Incarnation, known: Incarnation): IncarnationOrder {
  if (seen.ms !== known.ms) return seen.ms < known.ms ? 'older' : 'newer';
  return seen.nonce === known.nonce ? 'same' : 'duplicate';
}
