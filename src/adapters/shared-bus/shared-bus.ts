/**
 * One connection that many roles of one process share: what several of them listen to comes over the wire once, and what they say
 * in one turn goes out together. It is closed by whoever opened it, not by those who share it.
 */
import type { Bus, BusMessage, BusSubscription } from '../../ports/bus.ts';
import type { Clock } from '../../ports/system.ts';

interface Shared {
  readonly handlers: Set<(message: BusMessage) => void>;
  readonly wire: BusSubscription;
}

export function sharedBus(bus: Bus, clock: Pick<Clock, 'soon'>): Bus {
  const shared = new Map<string, Shared>();

  const open = (subject: string): Shared => {
    const handlers = new Set<(message: BusMessage) => void>();
    const wire = bus.subscribe(subject, (message) => {
      for (const handle of handlers) handle(message);
    });
    const entry = { handlers, wire };
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
