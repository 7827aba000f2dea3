/**
 * The order of work on a replica's one thread: Raft input first in every turn, then what a caller waits for, everything else in
 * slices of at most `sliceMs`, so that heartbeats tell the truth about the whole control loop (DESIGN, "Added"). A healthy Raft thread
 * above a frozen control plane is what this prevents: both are the same thread and the same loop.
 */
import { assert } from '../lib/assert.ts';
import type { Clock } from '../ports/system.ts';

export type Work = () => void;

export interface TurnLoopOptions {
  readonly sliceMs: number;
  /** Bulk work of each source waiting at once; what comes beyond it is refused, as NATS would drop it. */
  readonly maxBulk: number;
  /** Called after each turn's work, before the loop sleeps: flush what the turn produced. */
  readonly endOfTurn: () => void;
  readonly onError: (error: unknown) => void;
}

/** Who sent bulk work: the fleet or the data planes. Neither has to wait until all of the other's is done. */
export type BulkSource = 'workers' | 'data-planes';

/** Work that takes no time by a coarse clock is still work: the sources take turns. */
const LEAST_MS = 0.001;

/** First in, first out, without moving what waits. */
class Queue {
  #items: Work[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(work: Work): void {
    this.#items.push(work);
  }

  shift(): Work | undefined {
    const work = this.#items[this.#head];
    if (work === undefined) return undefined;
    this.#head++;
    if (this.#head === this.#items.length) this.clear();
    return work;
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
  }
}

/**
 * Work of the two sources, each half of the time while both have some: one part of a data plane's table takes as long as fifty
 * heartbeats, and item by item the fleet would fall behind by seconds.
 */
class Alternating {
  readonly #queues: Readonly<Record<BulkSource, Queue>> = {
    workers: new Queue(),
    'data-planes': new Queue(),
  };
  /** Time that the fleet's work has had beyond that of the data planes, since both wait. */
  #aheadMs = 0;
  #last: BulkSource = 'workers';

  of(source: BulkSource): Queue {
    return this.#queues[source];
  }

  get size(): number {
    return this.#queues.workers.size + this.#queues['data-planes'].size;
  }

  shift(): Work | undefined {
    const { workers, 'data-planes': dataPlanes } = this.#queues;
    // Nothing is saved up for later by a source that has no work.
    if (workers.size === 0 || dataPlanes.size === 0) this.#aheadMs = 0;
    this.#last =
      dataPlanes.size === 0 || (workers.size > 0 && this.#aheadMs <= 0) ? 'workers' : 'data-planes';
    return this.#queues[this.#last].shift();
  }

  /** What was taken last took so long. */
  took(ms: number): void {
    const weightMs = Math.max(ms, LEAST_MS);
    this.#aheadMs += this.#last === 'workers' ? weightMs : -weightMs;
  }

  clear(): void {
    this.#queues.workers.clear();
    this.#queues['data-planes'].clear();
  }
}

export class TurnLoop {
  readonly #clock: Clock;
  readonly #options: TurnLoopOptions;
  #raft: Work[] = [];
  readonly #prompt = new Queue();
  readonly #bulk = new Alternating();
  #scheduled = false;
  #stopped = false;
  #refused = 0;

  constructor(clock: Clock, options: TurnLoopOptions) {
    assert(options.sliceMs > 0 && options.maxBulk > 0, 'a slice and a bound');
    this.#clock = clock;
    this.#options = options;
  }

  /** Bulk work refused because too much was waiting. */
  get refused(): number {
    return this.#refused;
  }

  /** Runs before any bulk work that waits. Unbounded by itself: its producers are the replica's few peers and the disk. */
  raft(work: Work): void {
    this.#raft.push(work);
    this.#schedule();
  }

  /** False when too much waits: the work is dropped. */
  bulk(work: Work, source: BulkSource = 'workers'): boolean {
    return this.#admit(this.#bulk.of(source), work);
  }

  /** A caller waits for it: ahead of bulk work, in at most half of a slice while there is such work. False as in `bulk`. */
  prompt(work: Work): boolean {
    return this.#admit(this.#prompt, work);
  }

  #admit(queue: Queue, work: Work): boolean {
    if (queue.size >= this.#options.maxBulk) {
      this.#refused++;
      return false;
    }
    queue.push(work);
    this.#schedule();
    return true;
  }

  stop(): void {
    this.#stopped = true;
    this.#raft = [];
    this.#prompt.clear();
    this.#bulk.clear();
  }

  #schedule(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    this.#clock.soon(() => this.#turn());
  }

  #turn(): void {
    this.#scheduled = false;
    if (this.#stopped) return;
    this.#drainRaft();
    const { sliceMs } = this.#options;
    let now = this.#clock.now();
    const until = now + sliceMs;
    while (now < until && !this.#stopped) {
      const promptFirst = now < until - sliceMs / 2;
      const isPrompt = this.#prompt.size > 0 && (promptFirst || this.#bulk.size === 0);
      const work = isPrompt ? this.#prompt.shift() : this.#bulk.shift();
      if (work === undefined) break;
      this.#run(work);
      const beganMs = now;
      now = this.#clock.now();
      if (!isPrompt) this.#bulk.took(now - beganMs);
      if (this.#raft.length === 0) continue;
      this.#drainRaft();
      now = this.#clock.now();
    }
    this.#run(this.#options.endOfTurn);
    if (this.#prompt.size + this.#bulk.size + this.#raft.length > 0) this.#schedule();
  }

  #drainRaft(): void {
    while (this.#raft.length > 0) {
      const batch = this.#raft;
      this.#raft = [];
      for (const work of batch) this.#run(work);
    }
  }

  /** One bad message must not stop the loop; a broken assertion must, so the handler decides. */
  #run(work: Work): void {
    try {
      work();
    } catch (error) {
      this.#options.onError(error);
    }
  }
}
