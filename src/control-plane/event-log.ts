/**
 * What the leader did and why, bounded, for `baton events` and people. Each replica keeps its own, over all the terms in which
 * it led: (term, seq) orders the events of all of them, for a term has one leader.
 */
import { limits } from '../lib/limits.ts';
import type { EventKind } from '../core/leader/event-kinds.ts';
import type { EventCursor, EventPage, EventQuery, EventView } from '../api/backend.ts';
import type { Clock, Logger } from '../ports/system.ts';

export interface Happening {
  readonly kind: EventKind;
  readonly subject: string;
  /** Empty: it is about no function, or about one whose name is not known any more. */
  readonly function: string;
  readonly message: string;
}

const NOTHING: EventCursor = { term: 0, seq: 0 };

export class EventLog {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #counts = new Map<string, number>();
  #events: EventView[] = [];
  #seq = 0;
  /** The latest that is not held any more. */
  #forgotten: EventCursor = NOTHING;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  add(term: number, { kind, subject, function: name, message }: Happening): void {
    const text = message.length > limits.eventChars ? `${message.slice(0, limits.eventChars)}…` : message;
    const wallMs = this.#clock.wall();
    this.#events.push({ seq: ++this.#seq, wallMs, term, kind, subject, function: name, message: text });
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
    if (this.#events.length >= 2 * limits.events) {
      const forgotten = this.#events.splice(0, this.#events.length - limits.events).at(-1);
      if (forgotten !== undefined) this.#forgotten = { term: forgotten.term, seq: forgotten.seq };
    }
    this.#logger.debug({ term, kind, subject }, message);
  }

  /** Noted here, in whatever term, by kind. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  list({ after, kinds, function: name, limit }: EventQuery): EventPage {
    const rows = this.#events.filter(
      (event) =>
        isAfter(event, after) &&
        (kinds.length === 0 || kinds.includes(event.kind)) &&
        (name === '' || event.function === name),
    );
    const { term, seq } = this.#events.at(-1) ?? NOTHING;
    const kept = Math.min(limit ?? limits.events, limits.events);
    return {
      rows: kept === 0 ? [] : rows.slice(-kept),
      // Of two leaders, the one that was asked last may have nothing to say yet.
      cursor: isAfter({ term, seq }, after) ? { term, seq } : after,
      missed: isAfter(this.#forgotten, after),
    };
  }
}

/** Without a term the cursor is a seq of this replica's. */
function isAfter(event: EventCursor, after: EventCursor): boolean {
  if (after.term === 0) return event.seq > after.seq;
  return event.term > after.term || (event.term === after.term && event.seq > after.seq);
}
