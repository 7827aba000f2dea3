/**
 * One connection that many roles of one process share: what several of them listen to comes over the wire once, and what they say
 * at about the same time goes out together. It is closed by whoever opened it, not by those who share it.
 */
import type { Bus, BusMessage, BusSubscription } from '../../ports/bus.ts';
import type { Clock } from '../../ports/system.ts';

/**
 * Deliveries in one turn: thousands react to a new leader and to what it asks of them, and what the first of them say should not
 * wait for the last.
 */
const DELIVERIES_PER_TURN = 24;

/** A turn that takes less leads to nothing: a leader that is known has said that it is still there. */
const SHORT_MS = 0.5;
const LONGEST_REST_MS = 10;
/** Messages: beacons come ten a second. */
const MOST_WAITING = 3;

/** What nobody waits for goes out with what the others say in the next few milliseconds: each packet costs more than what is in it. */
const TOGETHER_MS = 3;

type Handler = (message: BusMessage) => void;

interface Shared {
  readonly handlers: Set<Handler>;
  readonly wire: BusSubscription;
}

/** @param isUrgent of the subject of a message: somebody waits for what follows from it, and it is delivered ahead of others */
export function sharedBus(
  bus: Bus,
  clock: Pick<Clock, 'soon' | 'after' | 'now'>,
  isUrgent: (subject: string) => boolean = () => false,
): Bus {
  const shared = new Map<string, Shared>();
  const deliver = inTurns(clock);

  const open = (subject: string): Shared => {
    const handlers = new Set<Handler>();
    const wire = bus.subscribe(subject, (message) => {
      if (isUrgent(message.subject)) for (const handle of handlers) handle(message);
      else deliver(message, handlers);
    });
    const entry = { handlers, wire };
    shared.set(subject, entry);
    return entry;
  };

  let unsent: Parameters<Bus['publish']>[] = [];
  let sending: 'no' | 'later' | 'now' = 'no';
  const send = (): void => {
    sending = 'no';
    const messages = unsent;
    unsent = [];
    for (const message of messages) bus.publish(...message);
  };

  return {
    publish(...message) {
      unsent.push(message);
      if (sending !== 'now' && isUrgent(message[0])) {
        sending = 'now';
        clock.soon(send);
      } else if (sending === 'no') {
        sending = 'later';
        clock.after(TOGETHER_MS, send);
      }
    },
    request: (subject, payload, timeoutMs) => bus.request(subject, payload, timeoutMs),
    flush: () => bus.flush(),
    status: () => bus.status(),
    onStatus: (handler) => bus.onStatus(handler),
    onPeerDisconnect: (handler) => bus.onPeerDisconnect(handler),
    close: () => Promise.resolve(),
    subscribe(subject, handler) {
      // Its own, so that one role may listen twice with one function.
      const own = (message: BusMessage): void => handler(message);
      const entry = shared.get(subject) ?? open(subject);
      entry.handlers.add(own);
      return {
        unsubscribe() {
          entry.handlers.delete(own);
          if (entry.handlers.size > 0 || shared.get(subject) !== entry) return;
          shared.delete(subject);
          entry.wire.unsubscribe();
        },
      };
    },
  };
}

/**
 * Everybody hears every message, in the order in which they came. When what the listeners of a turn do about it takes long, the next
 * turn leaves others of the machine as much time: thousands that answer a new leader at once would have all of it, and the first
 * of them wait for the last. Not once some more messages have come: nobody falls behind for ever.
 */
function inTurns(
  clock: Pick<Clock, 'soon' | 'after' | 'now'>,
): (message: BusMessage, handlers: ReadonlySet<Handler>) => void {
  const waiting: { readonly message: BusMessage; readonly listeners: Iterator<Handler> }[] = [];
  let beganMs = 0;
  const turn = (): void => {
    beganMs = clock.now();
    let head = 0;
    for (let delivered = 0; delivered < DELIVERIES_PER_TURN;) {
      const next = waiting[head];
      if (next === undefined) break;
      const listener = next.listeners.next();
      if (listener.done === true) head++;
      else {
        delivered++;
        listener.value(next.message);
      }
    }
    waiting.splice(0, head);
    // Behind what they do at once, and what they do when that is durable.
    if (waiting.length > 0) clock.soon(() => clock.soon(rest));
  };
  const rest = (): void => {
    const tookMs = clock.now() - beganMs;
    if (tookMs < SHORT_MS || waiting.length > MOST_WAITING) turn();
    else clock.after(Math.min(tookMs, LONGEST_REST_MS), turn);
  };
  return (message, handlers) => {
    if (waiting.push({ message, listeners: handlers.values() }) === 1) clock.soon(turn);
  };
}
