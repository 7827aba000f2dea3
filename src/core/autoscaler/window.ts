/** A time-bucketed average of concurrency, as Knative's: what was observed in each bucket, averaged over the window. */
import { assert } from '../../lib/assert.ts';

interface Bucket {
  readonly startMs: number;
  sum: number;
  count: number;
}

export class ConcurrencyWindow {
  readonly #bucketMs: number;
  readonly #windowMs: number;
  #buckets: Bucket[] = [];

  constructor(windowMs: number, bucketMs: number) {
    assert(windowMs >= bucketMs && bucketMs > 0, 'a window holds at least one bucket');
    this.#windowMs = windowMs;
    this.#bucketMs = bucketMs;
  }

  record(nowMs: number, concurrency: number): void {
    const startMs = Math.floor(nowMs / this.#bucketMs) * this.#bucketMs;
    let bucket = this.#buckets.at(-1);
    if (bucket === undefined || bucket.startMs !== startMs) {
      bucket = { startMs, sum: 0, count: 0 };
      this.#buckets.push(bucket);
      this.#drop(nowMs);
    }
    bucket.sum += concurrency;
    bucket.count++;
  }

  #drop(nowMs: number): void {
    const from = nowMs - this.#windowMs;
    let old = 0;
    while (old < this.#buckets.length && (this.#buckets[old]?.startMs ?? 0) + this.#bucketMs <= from) old++;
    if (old > 0) this.#buckets = this.#buckets.slice(old);
  }

  /** Mean of the buckets' means over the last `spanMs`; 0 where nothing was observed. */
  average(nowMs: number, spanMs: number): number {
    this.#drop(nowMs);
    const from = nowMs - spanMs;
    let sum = 0;
    let count = 0;
    for (const bucket of this.#buckets) {
      if (bucket.startMs + this.#bucketMs <= from) continue;
      sum += bucket.sum / bucket.count;
      count++;
    }
    return count === 0 ? 0 : sum / count;
  }
}
