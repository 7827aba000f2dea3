/**
 * The upstream client over plain sockets: one pool of keep-alive connections per sandbox address, never shared. It
 * retries nothing by itself; it says what it knows (see the port) and leaves the decision to the role.
 */
import type { SandboxAddress } from '../../core/model/sandbox.ts';
import type { Exchange, Upstream, UpstreamHandlers, UpstreamRequest } from '../../ports/upstream.ts';
import { H1Connection, type ConnectionOptions } from './h1-connection.ts';

export interface UpstreamOptions extends ConnectionOptions {
  /** Further exchanges with the same address wait for one to end. */
  readonly connectionsPerAddress: number;
}

export const UPSTREAM_DEFAULTS: UpstreamOptions = {
  connectTimeoutMs: 1_000,
  bodyIdleMs: 300_000,
  idleMs: 30_000,
  connectionsPerAddress: 1_024,
};

const SWEEP_MS = 500;

interface Waiting {
  readonly request: UpstreamRequest;
  readonly handlers: UpstreamHandlers;
  canceled: boolean;
  connection: H1Connection | undefined;
}

interface Pool {
  readonly address: SandboxAddress;
  /** Most recently used last: the others age and go. */
  readonly idle: H1Connection[];
  readonly all: Set<H1Connection>;
  waiting: Waiting[];
  /** No request will come: connections close as they become idle. */
  forgotten: boolean;
}

export class SocketUpstream implements Upstream {
  readonly #options: UpstreamOptions;
  readonly #pools = new Map<SandboxAddress, Pool>();
  #sweeper: NodeJS.Timeout | undefined = undefined;
  #closed = false;

  constructor(options: Partial<UpstreamOptions> = {}) {
    this.#options = { ...UPSTREAM_DEFAULTS, ...options };
  }

  /** Connections open now, for tests and metrics. */
  get connections(): number {
    let count = 0;
    for (const pool of this.#pools.values()) count += pool.all.size;
    return count;
  }

  send(request: UpstreamRequest, handlers: UpstreamHandlers): Exchange {
    const waiting: Waiting = { request, handlers, canceled: false, connection: undefined };
    // Handlers never run within the caller's turn, whatever the socket says at once.
    queueMicrotask(() => this.#start(waiting));
    return { cancel: () => this.#cancel(waiting) };
  }

  forget(address: SandboxAddress): void {
    const pool = this.#pools.get(address);
    if (pool === undefined) return;
    pool.forgotten = true;
    for (const connection of [...pool.idle]) connection.destroy();
    this.#drop(pool);
  }

  close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
    const closing: Promise<void>[] = [];
    for (const pool of this.#pools.values()) {
      for (const connection of pool.all) connection.destroy();
    }
    return Promise.all(closing).then(() => undefined);
  }

  #pool(address: SandboxAddress): Pool {
    let pool = this.#pools.get(address);
    if (pool === undefined) {
      pool = { address, idle: [], all: new Set(), waiting: [], forgotten: false };
      this.#pools.set(address, pool);
    }
    pool.forgotten = false;
    return pool;
  }

  #start(waiting: Waiting): void {
    if (waiting.canceled) {
      waiting.handlers.onDone(true);
      return;
    }
    if (this.#closed) {
      waiting.handlers.onFailure('unsent', new Error('the client is closed'));
      waiting.handlers.onDone(true);
      return;
    }
    const pool = this.#pool(waiting.request.address);
    const now = performance.now();
    for (let idle = pool.idle.pop(); idle !== undefined; idle = pool.idle.pop()) {
      if (idle.usable && idle.idleUntilMs > now) {
        this.#begin(waiting, idle);
        return;
      }
      idle.destroy();
    }
    if (pool.all.size >= this.#options.connectionsPerAddress) {
      pool.waiting.push(waiting);
      return;
    }
    const connection = new H1Connection(waiting.request.address, this.#options, {
      onIdle: (idle) => this.#onIdle(pool, idle),
      onClosed: (closed) => this.#onClosed(pool, closed),
    });
    pool.all.add(connection);
    this.#begin(waiting, connection);
  }

  #begin(waiting: Waiting, connection: H1Connection): void {
    waiting.connection = connection;
    const { handlers } = waiting;
    connection.begin(waiting.request, {
      onResponse: (status, headers, body) => handlers.onResponse(status, headers, body),
      onFailure: (failure, error) => {
        if (!waiting.canceled) handlers.onFailure(failure, error);
      },
      onDone: (finished) => {
        waiting.connection = undefined;
        handlers.onDone(finished);
      },
    });
  }

  #cancel(waiting: Waiting): void {
    if (waiting.canceled) return;
    waiting.canceled = true;
    if (waiting.connection !== undefined) {
      waiting.connection.cancel();
      return;
    }
    const pool = this.#pools.get(waiting.request.address);
    const at = pool?.waiting.indexOf(waiting) ?? -1;
    if (pool === undefined || at === -1) return;
    pool.waiting.splice(at, 1);
    queueMicrotask(() => waiting.handlers.onDone(true));
  }

  #onIdle(pool: Pool, connection: H1Connection): void {
    const next = pool.waiting.shift();
    if (next !== undefined) {
      if (connection.usable) this.#begin(next, connection);
      else this.#start(next);
    } else if (pool.forgotten || this.#closed) connection.destroy();
    else {
      pool.idle.push(connection);
      this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
    }
  }

  #onClosed(pool: Pool, connection: H1Connection): void {
    pool.all.delete(connection);
    const at = pool.idle.indexOf(connection);
    if (at !== -1) pool.idle.splice(at, 1);
    const next = pool.waiting.shift();
    if (next !== undefined) this.#start(next);
    else this.#drop(pool);
  }

  #drop(pool: Pool): void {
    if (pool.all.size === 0 && pool.waiting.length === 0 && this.#pools.get(pool.address) === pool) {
      this.#pools.delete(pool.address);
    }
  }

  /** Closes what has been idle too long; stops when nothing is idle. */
  #sweep(): void {
    const now = performance.now();
    let idle = 0;
    for (const pool of this.#pools.values()) {
      for (const connection of [...pool.idle]) {
        if (connection.idleUntilMs <= now) connection.destroy();
        else idle++;
      }
    }
    if (idle === 0) {
      clearInterval(this.#sweeper);
      this.#sweeper = undefined;
    }
  }
}
