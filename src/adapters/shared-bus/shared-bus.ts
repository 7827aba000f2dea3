/**
 * One connection that many roles of one process share: what several of them listen to comes over the wire once, and what they say
 * in one turn goes out together. It is closed by whoever opened it, not by those who share it.
 */
import type { Bus, BusMessage, BusSubscription } from '../../ports/bus.ts';
import type { Clock } from '../../ports/system.ts';

/** Listeners that hear a message in one turn: thousands react to a new leader, and what the first of them say should not wait for the last. */
const LISTENERS_PER_TURN = 64;

type Handler = (message: BusMessage) => void;

interface Shared {
  readonly handlers: Set<Handler>;
  readonly wire: BusSubscription;
}

export function sharedBus(bus: Bus, clock: Pick<Clock, 'soon'>): Bus {
  const shared = new Map<string, Shared>();

  const open = (subject: string): Shared => {
    const handlers = new Set<Handler>();
    const entry = { handlers, wire: bus.subscribe(subject, inSlices(handlers, clock)) };
    shared.set(subject, entry);
    return entry;
  };

  let unsent: Parameters<Bus['publish']>[] = [];
  const send = (): void => {
    const messages = unsent;
    unsent = [];
    for (const message of messages) bus.publish(...message);
  };

  return {
    publish(...message) {
      if (unsent.push(message) === 1) clock.soon(send);
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

/** Everybody hears every message, and each of them in the order in which they came. */
function inSlices(handlers: ReadonlySet<Handler>, clock: Pick<Clock, 'soon'>): Handler {
  const waiting: BusMessage[] = [];
  let listeners: Iterator<Handler> | undefined;
  const goOn = (): void => {
    for (let told = 0; told < LISTENERS_PER_TURN;) {
      const [message] = waiting;
      if (message === undefined) return;
      listeners ??= handlers.values();
      const next = listeners.next();
      if (next.done === true) {
        listeners = undefined;
        waiting.shift();
        continue;
      }
      told++;
      next.value(message);
    }
    clock.soon(goOn);
  };
  return (message) => {
    if (waiting.push(message) === 1) goOn();
  };
}
