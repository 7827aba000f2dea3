/** Virtual time: one queue of events, one after the other. The same calls give the same order. */
export interface Scheduled {
  cancelled: boolean;
}

interface Entry extends Scheduled {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** What runs "soon" comes before what is due at the same time. */
const SOON = 0;
const TIMED = 0x1_0000_0000_0000;

export class EventQueue {
  readonly #heap: Entry[] = [];
  #seq = 0;
  #nowMs = 0;
  #executed = 0;

  get executed(): number {
    return this.#executed;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): Scheduled {
    return this.#push(this.#nowMs + Math.max(0, delayMs), TIMED, run);
  }

  soon(run: () => void): Scheduled {
    return this.#push(this.#nowMs, SOON, run);
  }

  /** Runs the next event that is due by `untilMs`. False: there is none, and it is `untilMs` now. */
  runNext(untilMs: number): boolean {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.atMs > untilMs) {
        this.#nowMs = Math.max(this.#nowMs, untilMs);
        return false;
      }
      this.#pop();
      if (next.cancelled) continue;
      this.#nowMs = next.atMs;
      this.#executed++;
      next.run();
      return true;
    }
  }

  #push(atMs: number, kind: number, run: () => void): Entry {
    const entry: Entry = { atMs, order: kind + this.#seq++, run, cancelled: false };
    const heap = this.#heap;
    heap.push(entry);
    let i = heap.length - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(entry, heap[parent] as Entry)) break;
      heap[i] = heap[parent] as Entry;
      i = parent;
    }
    heap[i] = entry;
    return entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Entry;
    if (heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Entry, heap[child] as Entry)) child++;
      if (!before(heap[child] as Entry, last)) break;
      heap[i] = heap[child] as Entry;
      i = child;
    }
    heap[i] = last;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
