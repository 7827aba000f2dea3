/** The way to whoever leads: the highest fence seen, requests under its term, and whether it has been heard lately. */
import { BatonError } from '../lib/errors.ts';
import type { DataPlaneId } from '../lib/ids.ts';
import { compareFence, type Fence, NO_FENCE } from '../core/model/fence.ts';
import type { Bus } from '../ports/bus.ts';
import type { Clock } from '../ports/system.ts';
import type { LeadKind, Subjects } from '../wire/subjects.ts';

/** Ten beacons. */
const SILENCE_MS = 1_000;

export class LeaderLink {
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #subjects: Subjects;
  readonly #self: DataPlaneId;
  readonly #timeoutMs: number;
  #fence: Fence = NO_FENCE;
  /** A beacon of this term has been heard in this life: there is somebody to ask. */
  #announced = false;
  #heardMs = Number.NEGATIVE_INFINITY;

  constructor(bus: Bus, clock: Clock, subjects: Subjects, self: DataPlaneId, timeoutMs: number) {
    this.#bus = bus;
    this.#clock = clock;
    this.#subjects = subjects;
    this.#self = self;
    this.#timeoutMs = timeoutMs;
  }

  get fence(): Fence {
    return this.#fence;
  }

  get hasLeader(): boolean {
    return this.#announced && this.#bus.status().up;
  }

  get heardLately(): boolean {
    return this.#announced && this.#clock.now() - this.#heardMs < SILENCE_MS;
  }

  /** From the table file: nothing below it is believed. */
  restore(fence: Fence): void {
    this.#fence = fence;
  }

  /** Whether a message under this fence may be believed; and whether it is the first of a new leader. */
  see(fence: Fence): 'refused' | 'known' | 'new' {
    const order = compareFence(fence, this.#fence);
    if (order < 0) return 'refused';
    const isNew = order > 0 || !this.#announced;
    this.#fence = fence;
    this.#announced = true;
    this.#heardMs = this.#clock.now();
    return isNew ? 'new' : 'known';
  }

  /** At most once, to the present leader. */
  tell(kind: LeadKind, payload: Uint8Array): void {
    if (this.hasLeader) this.#bus.publish(this.#subjects.lead(this.#fence.term, kind, this.#self), payload);
  }

  /** Rejects with BatonError `no-leader`, `no-responders`, `timeout` or `disconnected`, or what `decode` throws. */
  async ask<T>(kind: LeadKind, payload: Uint8Array, decode: (bytes: Uint8Array) => T): Promise<T> {
    if (!this.hasLeader) throw new BatonError('no-leader', 'nobody leads');
    const subject = this.#subjects.lead(this.#fence.term, kind, this.#self);
    const reply = await this.#bus.request(subject, payload, this.#timeoutMs);
    return decode(reply.payload);
  }
}
