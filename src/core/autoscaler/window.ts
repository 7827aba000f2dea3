/**
 * Average concurrency over a stable and a panic window, in buckets, as Knative's: the mean of the buckets' means, over the
 * part of the window in which anything was observed.
 *
 *   W1  a load holds until another is observed: within a bucket it is weighted by time, so that a burst of reports counts no
 *       more than a single one, and no report is needed to keep an average true;
 *   W2  a window that has seen nothing but zero holds no memory, and one that begins anew averages over what comes then.
 */
import { assert } from '../../lib/assert.ts';
import { limits } from '../../lib/limits.ts';

export interface WindowSpans {
  readonly stableMs: number;
  /** Not above `stableMs`. */
  readonly panicMs: number;
}

/** Knative's averages have six digits, cut off: a sum of fractions is not above the whole by the last bit of its rounding. */
const DIGITS = 1e6;

const FINEST_BUCKET_MS = 100;
const BUCKET_MS = 1_000;
const FEWEST_BUCKETS = 60;

/** A second, as Knative's; finer for windows below a minute, coarser above the bound on buckets. Milliseconds. */
export function bucketMsOf(stableMs: number): number {
  const fine = Math.min(BUCKET_MS, Math.max(FINEST_BUCKET_MS, stableMs / FEWEST_BUCKETS));
  return Math.max(fine, stableMs / limits.windowBuckets);
}

export class ConcurrencyWindow {
  #bucketMs: number;
  #stableBuckets: number;
  #panicBuckets: number;
  /** Means of closed buckets, by number modulo their count; undefined while all of them are zero (W2). */
  #closed: Float64Array | undefined;
  /** Over the closed buckets that the windows reach, added up anew whenever one is closed: sums that are kept drift. */
  #stableSum = 0;
  #panicSum = 0;
  /** Numbers of the bucket of the first observation and of the one that is open. */
  #first: number = Number.NaN;
  #open: number = Number.NaN;
  #openSinceMs = 0;
  /** Concurrency times milliseconds, in the open bucket up to `#atMs`. */
  #openArea = 0;
  #atMs = 0;
  #load = 0;

  constructor(spans: WindowSpans) {
    this.#bucketMs = bucketMsOf(spans.stableMs);
    this.#stableBuckets = bucketsIn(spans.stableMs, this.#bucketMs);
    this.#panicBuckets = bucketsIn(spans.panicMs, this.#bucketMs);
    assert(spans.panicMs > 0 && spans.panicMs <= spans.stableMs, 'a panic window is part of the stable one');
  }

  /** What was last observed. */
  get load(): number {
    return this.#load;
  }

  /** @param load from now on */
  observe(nowMs: number, load: number): void {
    this.advance(nowMs);
    if (Number.isNaN(this.#first)) {
      this.#first = Math.floor(nowMs / this.#bucketMs);
      this.#open = this.#first;
      this.#openSinceMs = nowMs;
      this.#atMs = nowMs;
    }
    this.#load = load;
  }

  /** Before averages are read. */
  advance(nowMs: number): void {
    if (Number.isNaN(this.#first) || nowMs <= this.#atMs) return;
    const open = Math.floor(nowMs / this.#bucketMs);
    if (open > this.#open) this.#roll(open);
    this.#openArea += this.#load * (nowMs - this.#atMs);
    this.#atMs = nowMs;
  }

  /** Closes the open bucket and those between, in which the load was what it is. */
  #roll(open: number): void {
    const endMs = (this.#open + 1) * this.#bucketMs;
    this.#openArea += this.#load * (endMs - this.#atMs);
    this.#close(this.#open, this.#openArea / (endMs - this.#openSinceMs));
    for (let n = Math.max(this.#open + 1, open - this.#stableBuckets); n < open; n++)
      this.#close(n, this.#load);
    this.#open = open;
    this.#openSinceMs = open * this.#bucketMs;
    this.#openArea = 0;
    this.#atMs = this.#openSinceMs;
    this.#addUp();
  }

  #close(bucket: number, mean: number): void {
    if (this.#closed === undefined) {
      if (mean === 0) return;
      this.#closed = new Float64Array(this.#stableBuckets);
    }
    this.#closed[bucket % this.#stableBuckets] = mean;
  }

  #addUp(): void {
    this.#stableSum = 0;
    this.#panicSum = 0;
    if (this.#closed === undefined) return;
    const oldest = Math.max(this.#first, this.#open - this.#stableBuckets + 1);
    const panicFrom = this.#open - this.#panicBuckets + 1;
    for (let n = oldest; n < this.#open; n++) {
      const mean = this.#closed[n % this.#stableBuckets] ?? 0;
      this.#stableSum += mean;
      if (n >= panicFrom) this.#panicSum += mean;
    }
    if (this.#stableSum === 0) this.#closed = undefined;
  }

  /** As of the last `advance` or `observe`; 0 where nothing was observed. */
  get stableAverage(): number {
    return this.#average(this.#stableSum, this.#stableBuckets);
  }

  get panicAverage(): number {
    return this.#average(this.#panicSum, this.#panicBuckets);
  }

  #average(closed: number, buckets: number): number {
    if (Number.isNaN(this.#first)) return 0;
    const openMs = this.#atMs - this.#openSinceMs;
    const open = openMs > 0 ? this.#openArea / openMs : this.#load;
    const average = (closed + open) / Math.min(buckets, this.#open - this.#first + 1);
    return Math.floor(average * DIGITS) / DIGITS;
  }

  /** The next observation is the first. */
  restart(): void {
    this.#first = Number.NaN;
    this.#closed = undefined;
    this.#stableSum = 0;
    this.#panicSum = 0;
    this.#openArea = 0;
  }

  /** Other windows; what was observed stays, as far as they reach. */
  resized(spans: WindowSpans): ConcurrencyWindow {
    const resized = new ConcurrencyWindow(spans);
    if (Number.isNaN(this.#first)) return resized;
    const oldest = Math.max(this.#first, this.#open - this.#stableBuckets + 1);
    for (let n = oldest; n < this.#open; n++)
      resized.observe(n * this.#bucketMs, this.#closed?.[n % this.#stableBuckets] ?? 0);
    const openMs = this.#atMs - this.#openSinceMs;
    resized.observe(this.#openSinceMs, openMs > 0 ? this.#openArea / openMs : this.#load);
    resized.observe(this.#atMs, this.#load);
    return resized;
  }
}

function bucketsIn(spanMs: number, bucketMs: number): number {
  return Math.max(1, Math.round(spanMs / bucketMs));
}
