/**
 * Which artifacts this leader knows to be on a majority, so that a registration right after an upload asks nobody again.
 *
 *   K1  what was learned in another term counts for nothing: members may have lost their disks since;
 *   K2  it is believed for `keepMs`, far less than what members keep an artifact for that no function names (A3);
 *   K3  at most `digests` of them, the oldest go first; whatever is forgotten costs one more round.
 */
import { assert } from '../lib/assert.ts';
import type { Digest } from '../lib/ids.ts';

export interface ConfirmationLimits {
  readonly digests: number;
  readonly keepMs: number;
}

export class ArtifactConfirmations {
  readonly #limits: ConfirmationLimits;
  /** When each was confirmed, monotonic ms; insertion order is age. */
  readonly #confirmedMs = new Map<Digest, number>();
  #term = 0;

  constructor(limits: ConfirmationLimits) {
    assert(limits.digests > 0, 'something is remembered');
    this.#limits = limits;
  }

  /** @param askedMs when the members were asked, not when they had answered (K2) */
  add(digest: Digest, term: number, askedMs: number): void {
    if (term < this.#term) return;
    this.#enter(term);
    this.#confirmedMs.delete(digest);
    this.#confirmedMs.set(digest, askedMs);
    if (this.#confirmedMs.size <= this.#limits.digests) return;
    const [oldest] = this.#confirmedMs.keys();
    assert(oldest !== undefined, 'a full memory has an oldest entry');
    this.#confirmedMs.delete(oldest);
  }

  has(digest: Digest, term: number, nowMs: number): boolean {
    this.#enter(term);
    const confirmedMs = this.#confirmedMs.get(digest);
    return confirmedMs !== undefined && nowMs - confirmedMs < this.#limits.keepMs;
  }

  /** K1. */
  #enter(term: number): void {
    if (term <= this.#term) return;
    this.#term = term;
    this.#confirmedMs.clear();
  }
}
