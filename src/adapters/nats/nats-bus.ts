/**
 * The bus over core NATS.
 *
 *   N1  nothing is buffered while the connection is down: such a message is lost, and counted;
 *   N2  a handler that throws loses its message, not the connection;
 *   N3  the client never follows gossip to other servers: it speaks to those that its configuration names.
 */
import {
  connect,
  NoRespondersError,
  PermissionViolationError,
  RequestError,
  TimeoutError,
  type NatsConnection,
  type Subscription,
} from 'nats';
import { assert } from '../../lib/assert.ts';
import { BatonError, explain } from '../../lib/errors.ts';
import { limits } from '../../lib/limits.ts';
import type { Bus, BusStatus, BusSubscription } from '../../ports/bus.ts';
import type { Clock, Logger } from '../../ports/system.ts';

export interface NatsBusOptions {
  readonly servers: readonly string[];
  readonly user: string;
  readonly password: string;
  /** Shown in the server's monitoring. */
  readonly name: string;
  /** Grants disconnect advisories. */
  readonly system: { readonly user: string; readonly password: string } | undefined;
}

const RECONNECT_WAIT_MS = 100;
const RECONNECT_JITTER_MS = 150;
const PING_INTERVAL_MS = 500;
const REDIAL_MS = 500;

function dial(options: NatsBusOptions, user: string, pass: string, name: string): Promise<NatsConnection> {
  return connect({
    servers: [...options.servers],
    // The first is the one beside us: the fall of another host must not be ours.
    noRandomize: true,
    user,
    pass,
    name,
    inboxPrefix: `_INBOX_${user}`,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    reconnectJitter: RECONNECT_JITTER_MS,
    waitOnFirstConnect: true,
    ignoreClusterUpdates: true,
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: 2,
    timeout: 2_000,
  });
}

interface Subscribed {
  readonly subject: string;
  readonly handler: Parameters<Bus['subscribe']>[1];
  wire: Subscription | undefined;
}

/** Down at first; connects by itself, and keeps trying. */
export function natsBus(options: NatsBusOptions, clock: Clock, logger: Logger): Bus {
  return new NatsBus(options, clock, logger);
}

class NatsBus implements Bus {
  readonly #options: NatsBusOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #subscribed = new Set<Subscribed>();
  readonly #listeners = new Set<(status: BusStatus) => void>();
  readonly #peerListeners = new Set<(user: string) => void>();
  #connection: NatsConnection | undefined;
  #advisories: NatsConnection | undefined;
  #status: BusStatus;
  #lost = 0;
  #closed = false;

  constructor(options: NatsBusOptions, clock: Clock, logger: Logger) {
    this.#options = options;
    this.#clock = clock;
    this.#logger = logger;
    this.#status = { up: false, upSinceMs: clock.now(), server: '' };
    void this.#connect();
    void this.#connectAdvisories();
  }

  async #dial(user: string, password: string, name: string): Promise<NatsConnection | undefined> {
    for (let failures = 0; !this.#closed; failures++) {
      try {
        const connection = await dial(this.#options, user, password, name);
        if (!this.#closed) return connection;
        await connection.close();
      } catch (error) {
        if (failures === 0)
          this.#logger.warn({ user, error: explain(error) }, 'bus not connected; trying on');
        await new Promise<void>((resolve) => void this.#clock.after(REDIAL_MS, resolve));
      }
    }
    return undefined;
  }

  async #connect(): Promise<void> {
    const { user, password, name } = this.#options;
    const connection = await this.#dial(user, password, name);
    if (connection === undefined) return;
    this.#connection = connection;
    for (const entry of this.#subscribed) entry.wire = this.#listen(connection, entry);
    this.#setStatus(true);
    for await (const status of connection.status()) {
      if (status.type === 'disconnect') this.#setStatus(false);
      else if (status.type === 'reconnect') this.#setStatus(true);
      else if (status.type === 'error') this.#reportError(status.error);
    }
  }

  #setStatus(up: boolean): void {
    if (this.#closed || up === this.#status.up) return;
    this.#status = {
      up,
      upSinceMs: up ? this.#clock.now() : this.#status.upSinceMs,
      server: up ? (this.#connection?.info?.server_id ?? '') : '',
    };
    this.#logger.info({ up, lost: this.#lost }, up ? 'bus connected' : 'bus disconnected');
    for (const listener of this.#listeners) listener(this.#status);
  }

  #reportError(error: Error): void {
    if (error instanceof PermissionViolationError) {
      this.#logger.error(
        { operation: error.operation, subject: error.subject },
        'the bus refused us a subject',
      );
    } else {
      this.#logger.warn({ error: explain(error) }, 'bus error');
    }
  }

  async #connectAdvisories(): Promise<void> {
    const { system, name } = this.#options;
    if (system === undefined) return;
    this.#advisories = await this.#dial(system.user, system.password, `${name} advisories`);
    this.#advisories?.subscribe('$SYS.ACCOUNT.*.DISCONNECT', {
      callback: (error, message) => {
        if (error !== null) return;
        const advisory: unknown = message.json();
        const user = (advisory as { client?: { user?: string } } | undefined)?.client?.user;
        if (user !== undefined) for (const listener of this.#peerListeners) listener(user);
      },
    });
  }

  publish(subject: string, payload: Uint8Array, reply = ''): void {
    assert(payload.length <= limits.messageBytes, 'the message is over the limit');
    assert(isPublishable(subject), `not a subject to publish to: ${subject}`);
    if (!this.#status.up || this.#closed || this.#connection === undefined) {
      this.#lost++;
      return;
    }
    try {
      this.#connection.publish(subject, payload, reply === '' ? undefined : { reply });
    } catch (error) {
      this.#lost++;
      this.#logger.warn({ subject, error: explain(error) }, 'not published');
    }
  }

  subscribe(subject: string, handler: Parameters<Bus['subscribe']>[1]): BusSubscription {
    const entry: Subscribed = { subject, handler, wire: undefined };
    this.#subscribed.add(entry);
    if (this.#connection !== undefined) entry.wire = this.#listen(this.#connection, entry);
    return {
      unsubscribe: () => {
        this.#subscribed.delete(entry);
        if (!this.#closed) entry.wire?.unsubscribe();
      },
    };
  }

  #listen(connection: NatsConnection, { subject, handler }: Subscribed): Subscription {
    return connection.subscribe(subject, {
      callback: (error, message) => {
        if (error !== null) return this.#reportError(error);
        try {
          handler({ subject: message.subject, payload: message.data, reply: replyTo(message.reply) });
        } catch (thrown) {
          this.#logger.error({ err: thrown, subject: message.subject }, 'a bus handler failed');
        }
      },
    });
  }

  async request(subject: string, payload: Uint8Array, timeoutMs: number): ReturnType<Bus['request']> {
    if (!this.#status.up || this.#closed || this.#connection === undefined)
      throw new BatonError('disconnected', 'the bus is not connected');
    try {
      const message = await this.#connection.request(subject, payload, { timeout: timeoutMs });
      return { subject: message.subject, payload: message.data, reply: '' };
    } catch (cause) {
      const inner = cause instanceof RequestError ? cause.cause : undefined;
      if (cause instanceof NoRespondersError || inner instanceof NoRespondersError) {
        throw new BatonError('no-responders', `nobody subscribes to ${subject}`);
      }
      if (cause instanceof TimeoutError || inner instanceof TimeoutError) {
        throw new BatonError('timeout', `no answer on ${subject} in ${timeoutMs} ms`);
      }
      throw new BatonError('disconnected', `request on ${subject} failed`, { cause });
    }
  }

  async flush(): Promise<void> {
    if (this.#status.up) await this.#connection?.flush();
  }

  status(): BusStatus {
    return this.#status;
  }

  onStatus(handler: (status: BusStatus) => void): BusSubscription {
    this.#listeners.add(handler);
    return { unsubscribe: () => this.#listeners.delete(handler) };
  }

  onPeerDisconnect(handler: (user: string) => void): BusSubscription {
    this.#peerListeners.add(handler);
    return { unsubscribe: () => this.#peerListeners.delete(handler) };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#listeners.clear();
    this.#peerListeners.clear();
    await Promise.allSettled([this.#connection?.close(), this.#advisories?.close()]);
  }
}

function isPublishable(subject: string): boolean {
  return !/[*> \r\n]/.test(subject);
}

/** Whoever asks for an answer where none can be published to gets none. */
function replyTo(subject = ''): string {
  return isPublishable(subject) ? subject : '';
}
