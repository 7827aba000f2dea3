/**
 * The bus inside one process (`baton dev`): NATS' subjects, at most once, no responders, asynchronous delivery. There is no
 * connection to lose, so it is always up.
 */
import { assert } from '../../lib/assert.ts';
import { BatonError } from '../../lib/errors.ts';
import { limits } from '../../lib/limits.ts';
import type { Bus, BusMessage, BusSubscription } from '../../ports/bus.ts';
import type { Clock, Logger } from '../../ports/system.ts';

interface Subscription {
  readonly tokens: readonly string[];
  readonly handler: (message: BusMessage) => void;
}

/** `*` is one token, `>` is all the rest. */
export function subjectMatches(pattern: readonly string[], subject: readonly string[]): boolean {
  for (const [i, token] of pattern.entries()) {
    if (token === '>') return subject.length > i;
    if (i >= subject.length || (token !== '*' && token !== subject[i])) return false;
  }
  return pattern.length === subject.length;
}

export class MemoryBroker {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #subscriptions = new Set<Subscription>();
  #inboxes = 0;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  connect(user: string): Bus {
    const own = new Set<Subscription>();
    const upSinceMs = this.#clock.now();
    const status = { up: true, upSinceMs, server: 'memory' };
    const subscribe = (subject: string, handler: (message: BusMessage) => void): BusSubscription => {
      const subscription: Subscription = { tokens: subject.split('.'), handler };
      this.#subscriptions.add(subscription);
      own.add(subscription);
      return {
        unsubscribe: () => {
          this.#subscriptions.delete(subscription);
          own.delete(subscription);
        },
      };
    };
    return {
      publish: (subject, payload, reply = '') => void this.#publish(subject, payload, reply),
      subscribe,
      request: (subject, payload, timeoutMs) =>
        new Promise((resolve, reject) => {
          const inbox = `_INBOX_${user}.${++this.#inboxes}`;
          const answer = subscribe(inbox, (message) => {
            timer.cancel();
            answer.unsubscribe();
            resolve(message);
          });
          const timer = this.#clock.after(timeoutMs, () => {
            answer.unsubscribe();
            reject(new BatonError('timeout', `no answer on ${subject} in ${timeoutMs} ms`));
          });
          if (this.#publish(subject, payload, inbox) === 0) {
            timer.cancel();
            answer.unsubscribe();
            reject(new BatonError('no-responders', `nobody subscribes to ${subject}`));
          }
        }),
      flush: () => new Promise((resolve) => this.#clock.soon(resolve)),
      status: () => status,
      onStatus: (handler) => {
        this.#clock.soon(() => handler(status));
        return { unsubscribe: () => undefined };
      },
      onPeerDisconnect: () => ({ unsubscribe: () => undefined }),
      close: () => {
        for (const subscription of own) this.#subscriptions.delete(subscription);
        return Promise.resolve();
      },
    };
  }

  #publish(subject: string, payload: Uint8Array, reply: string): number {
    assert(payload.length <= limits.messageBytes, 'the message is over the limit');
    assert(!/[*> \r\n]/.test(subject), `not a subject to publish to: ${subject}`);
    const tokens = subject.split('.');
    let receivers = 0;
    for (const subscription of this.#subscriptions) {
      if (!subjectMatches(subscription.tokens, tokens)) continue;
      receivers++;
      this.#clock.soon(() => this.#deliver(subscription, { subject, payload, reply }));
    }
    return receivers;
  }

  #deliver(subscription: Subscription, message: BusMessage): void {
    if (!this.#subscriptions.has(subscription)) return;
    try {
      subscription.handler(message);
    } catch (error) {
      this.#logger.error({ err: error, subject: message.subject }, 'a bus handler failed');
    }
  }
}
