/**
 * Core NATS as it behaves: at most once, in order per connection, "no responders" where nobody subscribes, nothing while
 * disconnected; and with the faults that a network adds. Messages cross processes after a delay drawn from the seed.
 */
import { assert } from '../../src/lib/assert.ts';
import { BatonError } from '../../src/lib/errors.ts';
import { limits } from '../../src/lib/limits.ts';
import type { Prng } from '../../src/lib/prng.ts';
import type { Bus, BusMessage, BusStatus, BusSubscription } from '../../src/ports/bus.ts';
import { subjectMatches } from '../../src/adapters/memory-bus/broker.ts';
import type { SimProcess } from './process.ts';
import type { Scheduler } from './scheduler.ts';
import type { Trace } from './trace.ts';

export interface NetworkFaults {
  /** Of messages between processes. */
  lossPct: number;
  /** Delivered twice, the second time later. */
  duplicatePct: number;
  /** Multiplies delays. */
  slowness: number;
}

/** What becomes of one message on its way from one process to another. */
export interface Fate {
  readonly isLost: boolean;
  /** On top of the delay that every message has. */
  readonly lateMs: number;
  /** Behind what its sender sent there before. */
  readonly keepsOrder: boolean;
  /** Delivered once more, this much later. */
  readonly againMs: number | undefined;
}

/** How long a message takes, in ms: what one network has in common. */
export interface Delays {
  /** At least. */
  readonly baseMs: number;
  /** What comes on top: evenly up to this, or this on average with a long tail. */
  readonly spreadMs: number;
  readonly tail: 'even' | 'exponential';
  /** Of a thousand messages: those that take much longer, by up to `outlierMs`. */
  readonly outlierPerMille: number;
  readonly outlierMs: number;
}

interface Subscription {
  readonly subject: string;
  readonly connection: Connection;
  readonly handler: (message: BusMessage) => void;
}

interface Connection {
  readonly user: string;
  bus: Bus | undefined;
  readonly process: SimProcess;
  readonly listeners: Set<(status: BusStatus) => void>;
  readonly peers: Set<(user: string) => void>;
  /** Last delivery by sender: order holds per connection. */
  readonly lastMs: Map<string, number>;
  status: BusStatus;
}

/** Those without wildcards by their subject, the others one by one. */
class Subscriptions {
  readonly #exact = new Map<string, Set<Subscription>>();
  readonly #wild = new Map<Subscription, readonly string[]>();
  /** By subject: which of those with wildcards match, for as long as there are no others. */
  readonly #matches = new Map<string, readonly Subscription[]>();

  add(subscription: Subscription): void {
    const { subject } = subscription;
    if (/[*>]/.test(subject)) {
      assert(/^[^*>.]/.test(subject), 'a subject begins with the name of its application');
      this.#wild.set(subscription, subject.split('.'));
      this.#matches.clear();
    } else this.#exact.set(subject, (this.#exact.get(subject) ?? new Set()).add(subscription));
  }

  delete(subscription: Subscription): void {
    const same = this.#exact.get(subscription.subject);
    same?.delete(subscription);
    if (same?.size === 0) this.#exact.delete(subscription.subject);
    if (this.#wild.delete(subscription)) this.#matches.clear();
  }

  has(subscription: Subscription): boolean {
    return this.#wild.has(subscription) || this.#exact.get(subscription.subject)?.has(subscription) === true;
  }

  matching(subject: string): readonly Subscription[] {
    const exact = this.#exact.get(subject);
    const wild = this.#matchingWild(subject);
    return exact === undefined ? wild : [...exact, ...wild];
  }

  #matchingWild(subject: string): readonly Subscription[] {
    // Nobody listens to inboxes but by their names.
    if (subject.startsWith('_INBOX')) return [];
    const known = this.#matches.get(subject);
    if (known !== undefined) return known;
    const tokens = subject.split('.');
    const found = [...this.#wild].flatMap(([subscription, pattern]) =>
      subjectMatches(pattern, tokens) ? [subscription] : [],
    );
    this.#matches.set(subject, found);
    return found;
  }
}

export class SimNetwork {
  readonly faults: NetworkFaults = { lossPct: 0, duplicatePct: 0, slowness: 1 };
  readonly #scheduler: Scheduler;
  readonly #random: Prng;
  readonly #trace: Trace;
  readonly #delays: Delays;
  readonly #subscriptions = new Subscriptions();
  readonly #connections = new Set<Connection>();
  /** "a>b": nothing goes from a to b. */
  readonly #cut = new Set<string>();
  /** "a>b": times slower than the rest. */
  readonly #slow = new Map<string, number>();
  #inboxes = 0;
  onMessage: (from: string, subject: string, payload: Uint8Array) => void = () => undefined;
  /** Whoever sets it decides about each message between two processes, beside the faults from here. */
  fateOf: ((from: string, to: string, subject: string) => Fate) | undefined = undefined;
  /** The NATS server that a process is connected to. */
  serverOf: (process: string) => string = () => 'n1';
  #isAway = false;

  constructor(scheduler: Scheduler, random: Prng, trace: Trace, delays: Delays) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.#trace = trace;
    this.#delays = delays;
  }

  cut(from: string, to: string): void {
    this.#cut.add(`${from}>${to}`);
  }

  join(from: string, to: string): void {
    this.#cut.delete(`${from}>${to}`);
  }

  slowDown(from: string, to: string, times: number): void {
    if (times === 1) this.#slow.delete(`${from}>${to}`);
    else this.#slow.set(`${from}>${to}`, times);
  }

  /** Everything is whole again, and everybody connected. */
  heal(): void {
    for (const connection of this.#connections) this.#setUp(connection, true);
    this.#cut.clear();
    this.#slow.clear();
    this.faults.lossPct = 0;
    this.faults.duplicatePct = 0;
    this.faults.slowness = 1;
  }

  isCut(from: string, to: string): boolean {
    return this.#cut.size > 0 && this.#cut.has(`${from}>${to}`);
  }

  /** The process loses its connections to the server, or the one that is given, and has them back later. */
  disconnect(process: SimProcess, forMs: number, only?: Bus): void {
    const setUp = (up: boolean): void => {
      for (const connection of this.#connections)
        if (connection.process === process && (only ?? connection.bus) === connection.bus)
          this.#setUp(connection, up);
    };
    setUp(false);
    this.#scheduler.after(forMs, () => {
      if (!this.#isAway) setUp(true);
    });
  }

  /** Every server is gone, or back: for those too who connect meanwhile. */
  setAway(isAway: boolean): void {
    this.#isAway = isAway;
    for (const connection of this.#connections) this.#setUp(connection, !isAway);
  }

  #setUp(connection: Connection, up: boolean): void {
    if (connection.status.up === up || !connection.process.alive) return;
    const server = up ? this.serverOf(connection.process.id) : '';
    const status = { up, upSinceMs: connection.process.clock.now(), server };
    connection.status = status;
    for (const listener of connection.listeners) connection.process.enter(() => listener(status));
    if (!up) this.#tellPeers(connection.user);
  }

  #tellPeers(user: string): void {
    this.#scheduler.after(1 + this.#random.float() * 4, () => {
      for (const connection of this.#connections)
        if (connection.status.up)
          for (const hear of connection.peers) connection.process.enter(() => hear(user));
    });
  }

  connect(process: SimProcess, user: string): Bus {
    const connection: Connection = {
      user,
      bus: undefined,
      process,
      listeners: new Set(),
      peers: new Set(),
      lastMs: new Map(),
      status: {
        up: !this.#isAway,
        upSinceMs: process.clock.now(),
        server: this.#isAway ? '' : this.serverOf(process.id),
      },
    };
    this.#connections.add(connection);
    const own = new Set<Subscription>();
    process.onExit(() => {
      for (const subscription of own) this.#subscriptions.delete(subscription);
      this.#connections.delete(connection);
      this.#tellPeers(user);
    });
    const subscribe = (subject: string, handler: (message: BusMessage) => void): BusSubscription => {
      const subscription: Subscription = { subject, connection, handler };
      this.#subscriptions.add(subscription);
      own.add(subscription);
      return {
        unsubscribe: () => {
          this.#subscriptions.delete(subscription);
          own.delete(subscription);
        },
      };
    };
    const bus: Bus = {
      publish: (subject, payload, reply = '') => {
        assert(payload.length <= limits.messageBytes, 'the message is over the limit');
        if (connection.status.up && process.alive) this.#publish(connection, subject, payload, reply);
      },
      subscribe,
      request: (subject, payload, timeoutMs) =>
        this.#request(connection, subscribe, subject, payload, timeoutMs),
      flush: () => Promise.resolve(),
      status: () => connection.status,
      onStatus: (handler) => {
        connection.listeners.add(handler);
        return { unsubscribe: () => connection.listeners.delete(handler) };
      },
      onPeerDisconnect: (handler) => {
        connection.peers.add(handler);
        return { unsubscribe: () => connection.peers.delete(handler) };
      },
      close: () => {
        for (const subscription of own) this.#subscriptions.delete(subscription);
        this.#connections.delete(connection);
        return Promise.resolve();
      },
    };
    connection.bus = bus;
    return bus;
  }

  /** @returns how many connections are subscribed, whether or not they will get it */
  #publish(from: Connection, subject: string, payload: Uint8Array, reply: string): number {
    this.onMessage(from.process.id, subject, payload);
    let interested = 0;
    for (const subscription of this.#subscriptions.matching(subject)) {
      const to = subscription.connection;
      if (!to.status.up) continue;
      interested++;
      const isLost =
        this.isCut(from.process.id, to.process.id) || this.#random.float() * 100 < this.faults.lossPct;
      if (isLost) continue;
      const fate = this.fateOf?.(from.process.id, to.process.id, subject);
      if (fate?.isLost === true) continue;
      const slowness =
        this.#slow.size === 0 ? 1 : (this.#slow.get(`${from.process.id}>${to.process.id}`) ?? 1);
      let dueMs = this.#scheduler.nowMs + slowness * this.#delayMs() + (fate?.lateMs ?? 0);
      if (fate?.keepsOrder !== false) {
        dueMs = Math.max(dueMs, to.lastMs.get(from.user) ?? 0);
        to.lastMs.set(from.user, dueMs);
      }
      const deliver = (): void => {
        if (!to.process.alive || !to.status.up || !this.#subscriptions.has(subscription)) return;
        to.process.enter(() => {
          this.#trace.message(this.#scheduler.nowMs, from.process.id, subject, payload);
          subscription.handler({ subject, payload, reply });
        });
      };
      this.#scheduler.after(dueMs - this.#scheduler.nowMs, deliver);
      if (this.#random.float() * 100 < this.faults.duplicatePct)
        this.#scheduler.after(dueMs - this.#scheduler.nowMs + this.#random.float() * 30, deliver);
      if (fate?.againMs !== undefined)
        this.#scheduler.after(dueMs - this.#scheduler.nowMs + fate.againMs, deliver);
    }
    return interested;
  }

  #delayMs(): number {
    const { baseMs, spreadMs, tail, outlierPerMille, outlierMs } = this.#delays;
    const isOutlier = this.#random.float() * 1_000 < outlierPerMille;
    const drawn = this.#random.float();
    const spread = tail === 'even' ? drawn : -Math.log(1 - drawn);
    return this.faults.slowness * (baseMs + (isOutlier ? drawn * outlierMs : spread * spreadMs));
  }

  #request(
    from: Connection,
    subscribe: (subject: string, handler: (message: BusMessage) => void) => BusSubscription,
    subject: string,
    payload: Uint8Array,
    timeoutMs: number,
  ): Promise<BusMessage> {
    if (!from.status.up) return Promise.reject(new BatonError('disconnected', 'the bus is not connected'));
    return new Promise((resolve, reject) => {
      const inbox = `_INBOX_${from.user}.${++this.#inboxes}`;
      const end = (): void => {
        timer.cancel();
        answer.unsubscribe();
      };
      const answer = subscribe(inbox, (message) => {
        end();
        resolve(message);
      });
      const timer = from.process.clock.after(timeoutMs, () => {
        end();
        reject(new BatonError('timeout', `no answer on ${subject} in ${timeoutMs} ms`));
      });
      if (this.#publish(from, subject, payload, inbox) > 0) return;
      // The server says so itself, over the connection that asked.
      from.process.clock.after(this.#delayMs(), () => {
        if (!from.status.up) return;
        end();
        reject(new BatonError('no-responders', `nobody subscribes to ${subject}`));
      });
    });
  }
}
