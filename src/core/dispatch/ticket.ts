/**
 * A request as the dispatcher sees it, and the FIFO it waits in. The list is intrusive, so that leaving from the middle
 * (the caller went away, the deadline passed) costs as little as leaving from the front.
 */
import { assert } from '../../lib/assert.ts';
import type { FunctionUid } from '../../lib/ids.ts';
import type { EndpointState } from './endpoint.ts';

/**
 * `queued` waits for a slot; `dispatched` holds one; `forwarded` is with the owning data plane; `ended` has left the
 * dispatcher for good.
 */
export type TicketState = 'queued' | 'dispatched' | 'forwarded' | 'ended';

/** Only the dispatcher writes to it. */
export class Ticket<T> {
  readonly payload: T;
  readonly uid: FunctionUid;
  /** Came over a peer listener: it has had its one hop. */
  readonly viaPeer: boolean;
  /** Order of arrival. */
  readonly seq: number;
  readonly arrivedMs: number;
  readonly deadlineMs: number;
  state: TicketState = 'queued';
  endpoint: EndpointState | undefined = undefined;
  previous: Ticket<T> | undefined = undefined;
  next: Ticket<T> | undefined = undefined;
  /** Where the deadline structure keeps it; -1 while it does not. */
  bucket = -1;

  constructor(
    payload: T,
    uid: FunctionUid,
    viaPeer: boolean,
    seq: number,
    arrivedMs: number,
    deadlineMs: number,
  ) {
    this.payload = payload;
    this.uid = uid;
    this.viaPeer = viaPeer;
    this.seq = seq;
    this.arrivedMs = arrivedMs;
    this.deadlineMs = deadlineMs;
  }
}

export class TicketQueue<T> {
  #head: Ticket<T> | undefined = undefined;
  #tail: Ticket<T> | undefined = undefined;
  #hint: Ticket<T> | undefined = undefined;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get head(): Ticket<T> | undefined {
    return this.#head;
  }

  /**
   * In order of arrival. New tickets go to the back at once; one that returns looks for its place from where the last one
   * returned to, so that a whole queue that comes back costs no more than its length.
   */
  insert(ticket: Ticket<T>): void {
    let before = this.#tail;
    if (before !== undefined && before.seq > ticket.seq) {
      before = this.#hint ?? this.#head;
      while (before !== undefined && before.seq > ticket.seq) before = before.previous;
      while (before !== undefined && before.next !== undefined && before.next.seq < ticket.seq)
        before = before.next;
      this.#hint = ticket;
    }
    const after = before === undefined ? this.#head : before.next;
    ticket.previous = before;
    ticket.next = after;
    if (before === undefined) this.#head = ticket;
    else before.next = ticket;
    if (after === undefined) this.#tail = ticket;
    else after.previous = ticket;
    this.#length++;
  }

  remove(ticket: Ticket<T>): void {
    assert(this.#length > 0, 'a ticket is taken out of the queue that holds it');
    if (this.#hint === ticket) this.#hint = ticket.previous;
    if (ticket.previous === undefined) this.#head = ticket.next;
    else ticket.previous.next = ticket.next;
    if (ticket.next === undefined) this.#tail = ticket.previous;
    else ticket.next.previous = ticket.previous;
    ticket.previous = undefined;
    ticket.next = undefined;
    this.#length--;
  }
}
