/**
 * Demand: a queue has begun, and a leader must hear of it at once. All that is outstanding goes in one message, sent again
 * after 20, 40, 80 ms … until the leader that leads now has acknowledged it, or the queue is empty.
 */
import { decodeDemandAck, encodeDataPlaneMessage } from '../wire/data-plane-codec.ts';
import { compareFence } from '../core/model/fence.ts';
import type { DemandAck, FunctionLoad } from '../core/model/data-plane-report.ts';
import type { FunctionUid } from '../lib/ids.ts';
import type { Clock, Timer } from '../ports/system.ts';
import { reportBounds } from './config.ts';
import type { LeaderLink } from './leader-link.ts';
import type { Life } from './life.ts';

export interface DemandOptions {
  readonly clock: Clock;
  readonly link: LeaderLink;
  readonly life: Pick<Life, 'incarnation'>;
  readonly firstResendMs: number;
  readonly maxResendMs: number;
  readonly load: (uid: FunctionUid) => FunctionLoad;
  readonly onSent: () => void;
}

export class DemandSender {
  readonly #options: DemandOptions;
  /** By function: the seq of the first message that told of it; 0 before there was one. */
  readonly #pending = new Map<FunctionUid, number>();
  #seq = 0;
  #resendMs: number;
  #timer: Timer | undefined = undefined;
  #scheduled = false;

  constructor(options: DemandOptions) {
    this.#options = options;
    this.#resendMs = options.firstResendMs;
  }

  add(uid: FunctionUid): void {
    this.#pending.set(uid, 0);
    this.#resendMs = this.#options.firstResendMs;
    this.#soon();
  }

  /** A new leader knows nothing of what its predecessor acknowledged. */
  onLeader(waiting: Iterable<FunctionUid>): void {
    for (const uid of waiting) this.#pending.set(uid, 0);
    if (this.#pending.size === 0) return;
    this.#resendMs = this.#options.firstResendMs;
    this.#soon();
  }

  stop(): void {
    this.#pending.clear();
    this.#timer?.cancel();
  }

  /** What one turn produced travels together. */
  #soon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#options.clock.soon(() => {
      this.#scheduled = false;
      this.#send();
    });
  }

  #send(): void {
    const { link, life, clock, load, onSent } = this.#options;
    this.#timer?.cancel();
    this.#timer = undefined;
    const loads: FunctionLoad[] = [];
    for (const uid of this.#pending.keys()) {
      const current = load(uid);
      if (current.queued === 0) this.#pending.delete(uid);
      else if (loads.length < reportBounds.loads) loads.push(current);
    }
    if (loads.length === 0) return;
    this.#timer = clock.after(this.#resendMs, () => this.#send());
    this.#resendMs = Math.min(this.#options.maxResendMs, this.#resendMs * 2);
    if (!link.hasLeader) return;
    const seq = ++this.#seq;
    for (const { uid } of loads) if (this.#pending.get(uid) === 0) this.#pending.set(uid, seq);
    onSent();
    link
      .ask(
        'demand',
        encodeDataPlaneMessage({ kind: 'demand', incarnation: life.incarnation, seq, loads }),
        decodeDemandAck,
      )
      .then(
        (ack) => this.#onAck(ack),
        // The next repeat is already due.
        () => undefined,
      );
  }

  #onAck(ack: DemandAck): void {
    if (compareFence(ack.fence, this.#options.link.fence) !== 0) return;
    for (const [uid, first] of this.#pending) if (first !== 0 && first <= ack.seq) this.#pending.delete(uid);
    if (this.#pending.size === 0) {
      this.#timer?.cancel();
      this.#timer = undefined;
    }
  }
}
