/**
 * Remembers which mutations took effect, so that a retry with the same id takes effect once.
 *
 *   T1  at most `limits.requestIds` ids, evicted in the order of their indexes;
 *   T2  an id whose base is at or below the highest evicted index is refused, because it may have been here;
 *   T3  the same id with another command is refused, never executed.
 */
import { assert } from '../../lib/assert.ts';
import type { MetadataOutcome, RequestId } from '../model/metadata.ts';

export interface RememberedRequest {
  readonly id: RequestId;
  readonly index: number;
  /** Of the command, to tell T3. */
  readonly fingerprint: number;
  readonly outcome: MetadataOutcome;
}

export type RequestVerdict =
  | { readonly kind: 'new' }
  | { readonly kind: 'expired' }
  | { readonly kind: 'reused' }
  | { readonly kind: 'repeated'; readonly outcome: MetadataOutcome };

const keyOf = (id: RequestId): string => `${id.base}-${id.nonce}`;

export class RequestTable {
  readonly #capacity: number;
  /** Insertion order is index order. */
  readonly #requests: Map<string, RememberedRequest>;
  #evictedIndex: number;

  constructor(capacity: number, requests: readonly RememberedRequest[] = [], evictedIndex = 0) {
    assert(capacity > 0, 'the table holds something');
    this.#capacity = capacity;
    this.#requests = new Map(requests.map((request) => [keyOf(request.id), request]));
    this.#evictedIndex = evictedIndex;
  }

  get evictedIndex(): number {
    return this.#evictedIndex;
  }

  get size(): number {
    return this.#requests.size;
  }

  has(id: RequestId): boolean {
    return this.#requests.has(keyOf(id));
  }

  judge(id: RequestId, fingerprint: number): RequestVerdict {
    const known = this.#requests.get(keyOf(id));
    if (known !== undefined) {
      return known.fingerprint === fingerprint
        ? { kind: 'repeated', outcome: known.outcome }
        : { kind: 'reused' };
    }
    return this.#evictedIndex > 0 && id.base <= this.#evictedIndex ? { kind: 'expired' } : { kind: 'new' };
  }

  /** Returns what had to go for it (T1). */
  remember(request: RememberedRequest): RememberedRequest | undefined {
    this.#requests.set(keyOf(request.id), request);
    if (this.#requests.size <= this.#capacity) return undefined;
    const oldest = this.#requests.entries().next().value;
    assert(oldest !== undefined, 'a full table has an oldest entry');
    this.#requests.delete(oldest[0]);
    this.#evictedIndex = oldest[1].index;
    return oldest[1];
  }

  list(): readonly RememberedRequest[] {
    return [...this.#requests.values()];
  }
}
