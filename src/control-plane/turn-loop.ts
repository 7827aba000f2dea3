/**
 * The order of work on a replica's one thread: Raft input first in every turn, everything else in slices of at most
 * `sliceMs`, so that heartbeats tell the truth about the whole control loop (DESIGN, "Added"). A healthy Raft thread
 * above a frozen control plane is what this prevents: both are the same thread and the same loop.
 */
import { assert } from '../lib/assert.ts';
import type { Clock } from '../ports/system.ts';

export type Work = () => void;

export interface TurnLoopOptions {
  readonly sliceMs: number;
  /** Bulk work waiting at once; what comes beyond it is refused, as NATS would drop it. */
  readonly maxBulk: number;
  /** Called after each turn's work, before the loop sleeps: flush what the turn produced. */
  readonly endOfTurn: () => void;
  readonly onError: (error: unknown) => void;
}

export class TurnLoop {
  readonly #clock: Clock;
  readonly #options: TurnLoopOptions;
  #raft: Work[] = [];
  #bulk: Work[] = [];
  #bulkHead = 0;
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
  bulk(work: Work): boolean {
    if (this.#bulk.length - this.#bulkHead >= this.#options.maxBulk) {
      this.#refused++;
      return false;
    }
    this.#bulk.push(work);
    this.#schedule();
    return true;
  }

  stop(): void {
    this.#stopped = true;
    this.#raft = [];
    this.#bulk = [];
    this.#bulkHead = 0;
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
    const until = this.#clock.now() + this.#options.sliceMs;
    while (this.#bulkHead < this.#bulk.length && !this.#stopped) {
      const work = this.#bulk[this.#bulkHead++];
      if (work !== undefined) this.#run(work);
      if (this.#raft.length > 0) this.#drainRaft();
      if (this.#clock.now() >= until) break;
    }
    if (this.#bulkHead === this.#bulk.length) {
      this.#bulk = [];
      this.#bulkHead = 0;
    }
    this.#run(this.#options.endOfTurn);
    if (this.#bulkHead < this.#bulk.length || this.#raft.length > 0) this.#schedule();
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
