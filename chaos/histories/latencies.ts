/** Latencies of any number of requests in bounded memory: buckets that are a hundredth wide, and the exact maximum. */
import type { Distribution } from './history.ts';

const GROWTH = 1.01;
const LEAST_MS = 0.01;

export class Latencies {
  readonly #buckets = new Map<number, number>();
  #count = 0;
  #maxMs = 0;

  add(ms: number): void {
    const bucket = Math.max(0, Math.ceil(Math.log(Math.max(ms, LEAST_MS) / LEAST_MS) / Math.log(GROWTH)));
    this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + 1);
    this.#count++;
    this.#maxMs = Math.max(this.#maxMs, ms);
  }

  /** Percentiles are right to a hundredth, and never above the maximum. */
  distribution(): Distribution {
    const sorted = [...this.#buckets].sort(([a], [b]) => a - b);
    const at = (share: number): number => {
      let left = Math.floor(share * this.#count) + 1;
      for (const [bucket, count] of sorted) {
        left -= count;
        if (left <= 0) return round(Math.min(this.#maxMs, LEAST_MS * GROWTH ** bucket));
      }
      return round(this.#maxMs);
    };
    return { n: this.#count, p50: at(0.5), p99: at(0.99), max: round(this.#maxMs) };
  }
}

const round = (ms: number): number => Math.round(ms * 100) / 100;
