/**
 * Pulls one kind of snapshot from the leader, chunk by chunk (ADR 0003). One pull runs at a time; what asks for another
 * meanwhile is answered by the beacon after it. A new leader begins again.
 */
import { decodePullReply, encodePull } from '../wire/data-plane-codec.ts';
import { Assembler } from '../wire/chunks.ts';
import type { PullReply, PullStream } from '../core/model/data-plane-report.ts';
import { compareFence, type Fence, type Incarnation } from '../core/model/fence.ts';
import type { Clock, Timer } from '../ports/system.ts';
import type { LeaderLink } from './leader-link.ts';

const FIRST_RETRY_MS = 25;
const MAX_RETRY_MS = 800;

export interface PullerOptions {
  readonly stream: PullStream;
  readonly clock: Clock;
  readonly link: LeaderLink;
  /** The leader that answers has heard of this life of ours last. */
  readonly onHeard: (heard: Incarnation | undefined) => void;
  /** The encoded snapshot, whole. */
  readonly onSnapshot: (bytes: Uint8Array) => void;
}

export class Puller {
  readonly #options: PullerOptions;
  readonly #assembler = new Assembler();
  /** Rises with each pull that begins: answers to an earlier one are not heard. */
  #round = 0;
  #running = false;
  #fence: Fence | undefined = undefined;
  #retryMs = FIRST_RETRY_MS;
  #timer: Timer | undefined = undefined;

  constructor(options: PullerOptions) {
    this.#options = options;
  }

  get running(): boolean {
    return this.#running;
  }

  /** @param anew what is on its way was asked for too early to count */
  pull(anew = false): void {
    const { fence } = this.#options.link;
    if (!anew && this.#running && this.#fence !== undefined && compareFence(this.#fence, fence) === 0) return;
    this.#fence = fence;
    this.#running = true;
    this.#round++;
    this.#retryMs = FIRST_RETRY_MS;
    this.#assembler.reset();
    this.#timer?.cancel();
    this.#next(this.#round);
  }

  stop(): void {
    this.#round++;
    this.#running = false;
    this.#timer?.cancel();
  }

  #next(round: number): void {
    const { link, stream } = this.#options;
    const { bound, next } = this.#assembler;
    link.ask('pull', encodePull({ stream, bound, chunk: next }), decodePullReply).then(
      (reply) => {
        if (round === this.#round) this.#onReply(round, reply);
      },
      () => {
        if (round === this.#round) this.#retry(round);
      },
    );
  }

  #onReply(round: number, reply: PullReply): void {
    const { link } = this.#options;
    if (compareFence(reply.fence, link.fence) < 0) {
      this.#retry(round);
      return;
    }
    if (reply.chunks === 0) {
      // The bound is gone: a later snapshot from its beginning.
      this.#assembler.reset();
      this.#retry(round);
      return;
    }
    this.#retryMs = FIRST_RETRY_MS;
    this.#options.onHeard(reply.heard);
    const before = this.#assembler.next;
    const whole = this.#assembler.add(reply.bound, reply.chunk, reply.chunks, reply.bytes);
    if (whole !== undefined) {
      this.#running = false;
      this.#options.onSnapshot(whole);
    } else if (this.#assembler.next === before) this.#retry(round);
    else this.#next(round);
  }

  #retry(round: number): void {
    this.#timer = this.#options.clock.after(this.#retryMs, () => {
      if (round === this.#round) this.#next(round);
    });
    this.#retryMs = Math.min(MAX_RETRY_MS, this.#retryMs * 2);
  }
}
