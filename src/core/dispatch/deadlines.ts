/**
 * Deadlines without a timer per request: tickets sit in buckets of a few milliseconds, a heap orders the buckets, and
 * one wake sweeps all that is due. Entering and leaving cost O(1) except for the first ticket of a bucket.
 */
import { assert } from '../../lib/assert.ts';
import type { Ticket } from './ticket.ts';

export class Deadlines<T> {
  readonly #bucketMs: number;
  readonly #buckets = new Map<number, Set<Ticket<T>>>();
  /** Binary min-heap of bucket numbers, each present once. */
  readonly #heap: number[] = [];

  constructor(bucketMs: number) {
    assert(bucketMs > 0, 'a bucket has a width');
    this.#bucketMs = bucketMs;
  }

  add(ticket: Ticket<T>): void {
    const bucket = Math.ceil(ticket.deadlineMs / this.#bucketMs);
    let members = this.#buckets.get(bucket);
    if (members === undefined) {
      members = new Set();
      this.#buckets.set(bucket, members);
      this.#push(bucket);
    }
    members.add(ticket);
    ticket.bucket = bucket;
  }

  remove(ticket: Ticket<T>): void {
    if (ticket.bucket === -1) return;
    this.#buckets.get(ticket.bucket)?.delete(ticket);
    ticket.bucket = -1;
  }

  /** When the next sweep has something to do; a bucket is due once all of its deadlines have passed. */
  nextMs(): number | undefined {
    this.#dropEmpty();
    const first = this.#heap[0];
    return first === undefined ? undefined : first * this.#bucketMs;
  }

  /** Takes out everything whose bucket is due, in the order of deadlines' buckets. */
  due(nowMs: number): Ticket<T>[] {
    const expired: Ticket<T>[] = [];
    for (;;) {
      this.#dropEmpty();
      const first = this.#heap[0];
      if (first === undefined || first * this.#bucketMs > nowMs) return expired;
      const members = this.#buckets.get(first) ?? new Set<Ticket<T>>();
      for (const ticket of members) {
        ticket.bucket = -1;
        expired.push(ticket);
      }
      members.clear();
    }
  }

  /** Buckets that everyone has left wake nobody. */
  #dropEmpty(): void {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || (this.#buckets.get(first)?.size ?? 0) > 0) return;
      this.#buckets.delete(first);
      this.#pop();
    }
  }

  #push(bucket: number): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(bucket);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] ?? 0;
      if (above <= bucket) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = bucket;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= heap.length) break;
      const right = left + 1;
      const leftValue = heap[left] ?? 0;
      const rightValue = heap[right] ?? Number.POSITIVE_INFINITY;
      const [child, value] = rightValue < leftValue ? [right, rightValue] : [left, leftValue];
      if (value >= last) break;
      heap[at] = value;
      at = child;
    }
    heap[at] = last;
  }
}
