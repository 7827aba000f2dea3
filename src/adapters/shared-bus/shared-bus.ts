/**
 * One connection that many roles of one process share: what several of them listen to comes over the wire once. It is closed by
 * whoever opened it, not by those who share it.
 */
import type { Bus, BusMessage, BusSubscription } from '../../ports/bus.ts';

interface Shared {
  readonly handlers: Set<(message: BusMessage) => void>;
  readonly wire: BusSubscription;
}

export function sharedBus(bus: Bus): Bus {
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

  return {
    publish: (subject, payload, reply) => bus.publish(subject, payload, reply),
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
