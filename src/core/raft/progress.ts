/** What the leader believes about one peer's log, and how it feeds it. */
import { assert } from '../../lib/assert.ts';
import { limits } from '../../lib/limits.ts';
import type { ReplicaId } from '../../lib/ids.ts';
import { NO_INCARNATION, type Incarnation } from '../model/fence.ts';

/**
 * `probe`: one append at a time until the logs are known to meet. `replicate`: pipelined. `snapshot`: one chunk at a time.
 */
export type Feeding =
  | { readonly mode: 'probe'; paused: boolean }
  | { readonly mode: 'replicate' }
  | {
      readonly mode: 'snapshot';
      readonly index: number;
      readonly term: number;
      offset: number;
      paused: boolean;
    };

export class Peer {
  readonly id: ReplicaId;
  /** Durable and matching up to here. */
  match = 0;
  next = 1;
  feeding: Feeding = { mode: 'probe', paused: false };
  /** Last index of each append on its way, oldest first. */
  #inflight: number[] = [];
  incarnation: Incarnation = NO_INCARNATION;
  /** 0: not heard yet. */
  commandVersion = 0;
  voter = true;
  lastHeardMs: number = Number.NEGATIVE_INFINITY;
  /** Highest confirmation round that this peer echoed in the leader's term. */
  ackedRound = 0;

  constructor(id: ReplicaId) {
    this.id = id;
  }

  /** A leader knows nothing about a peer's log when its term begins (async-raft#109), nor after the peer restarted. */
  reset(lastIndex: number): void {
    this.match = 0;
    this.next = lastIndex + 1;
    this.feeding = { mode: 'probe', paused: false };
    this.#inflight = [];
    this.ackedRound = 0;
  }

  get hasRoom(): boolean {
    return this.#inflight.length < limits.raftInflightAppends;
  }

  /** It keeps up, and no further append will go to it by itself. Otherwise one will, as soon as there is room. */
  hasBeenSentAll(lastIndex: number): boolean {
    return this.feeding.mode === 'replicate' && this.next > lastIndex;
  }

  sent(lastIndex: number): void {
    assert(this.feeding.mode === 'replicate', 'only a replicating peer is pipelined');
    this.#inflight.push(lastIndex);
    this.next = lastIndex + 1;
  }

  acknowledged(index: number): boolean {
    while (this.#inflight.length > 0 && (this.#inflight[0] ?? 0) <= index) this.#inflight.shift();
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    return true;
  }

  becomeProbe(next: number): void {
    this.next = Math.max(this.match + 1, next);
    this.feeding = { mode: 'probe', paused: false };
    this.#inflight = [];
  }

  becomeReplicate(): void {
    this.next = this.match + 1;
    this.feeding = { mode: 'replicate' };
    this.#inflight = [];
  }

  becomeSnapshot(index: number, term: number): void {
    this.feeding = { mode: 'snapshot', index, term, offset: 0, paused: false };
    this.#inflight = [];
  }
}
