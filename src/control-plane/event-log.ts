/** What the leader did and why, bounded, for `baton events` and people. */
import { limits } from '../lib/limits.ts';
import type { EventKind } from '../core/leader/types.ts';
import type { Clock, Logger } from '../ports/system.ts';

export interface LeaderEvent {
  readonly seq: number;
  readonly wallMs: number;
  readonly term: number;
  readonly kind: EventKind;
  readonly subject: string;
  readonly message: string;
}

export class EventLog {
  readonly #clock: Clock;
  readonly #logger: Logger;
  #events: LeaderEvent[] = [];
  #seq = 0;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  add(term: number, kind: EventKind, subject: string, message: string): void {
    this.#events.push({ seq: ++this.#seq, wallMs: this.#clock.wall(), term, kind, subject, message });
    if (this.#events.length > 2 * limits.events) this.#events = this.#events.slice(-limits.events);
    this.#logger.debug({ term, kind, subject }, message);
  }

  list(afterSeq: number): readonly LeaderEvent[] {
    return this.#events.filter((event) => event.seq > afterSeq).slice(-limits.events);
  }
}
