/**
 * The connections of a listener, and how they end in good order. Closing a listener resets what the kernel has accepted and the
 * process has not; closing an idle connection resets a request that has arrived and was not read; and a caller that is about to
 * use one cannot know that it is closed. Therefore:
 *
 *   N1  what had arrived when the end began is served;
 *   N2  once nobody can come any more, each answer is the last on its connection and says so, and no request that follows it is
 *       carried out (RFC 9112, section 9.6);
 *   N3  a connection that was used lately waits for its next request; one that was not is closed at once, while its caller still
 *       has others that it would rather use (the `keepalive_min_timeout` of nginx);
 *   N4  nothing outlives the grace.
 */
import type { Server } from 'node:http';
import { Server as Listener, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import type { Carrier, NodeInbound } from './node-inbound.ts';

const SWEEP_MS = 25;
/** The loop accepts one connection in a turn. Callers that never cease to come are turned away in the end. */
const QUIET_LIMIT_MS = 1_000;
/** The first turn may be what is left of one that had begun before. */
const QUIET_TURNS = 2;

/** One of them, as its requests see it. */
export class Connection implements Carrier {
  readonly #all: Connections;
  readonly #socket: Socket;
  /** The request that came last, while it runs. */
  #current: NodeInbound | undefined;
  /** More than one with pipelining. */
  #running = 0;
  #usedMs: number = performance.now();
  /** What had been read then. */
  #usedBytes = 0;
  #isOver = false;

  constructor(all: Connections, socket: Socket) {
    this.#all = all;
    this.#socket = socket;
  }

  get current(): NodeInbound | undefined {
    return this.#current;
  }

  /** It said that there will be no further answer. */
  get isOver(): boolean {
    return this.#isOver;
  }

  begin(inbound: NodeInbound): void {
    this.#running++;
    this.#current = inbound;
  }

  end(): void {
    if (--this.#running > 0) return;
    this.#current = undefined;
    this.#use();
  }

  /** N2 */
  endsWith(inbound: NodeInbound): boolean {
    this.#isOver = this.#all.isShut && this.#current === inbound;
    return this.#isOver;
  }

  /** N3; what arrives is a request that begins, or ends, and renews the wait. */
  closeIfIdle(unusedMs: number): void {
    if (this.#running > 0 || performance.now() - this.#usedMs < unusedMs) return;
    if (this.#socket.bytesRead === this.#usedBytes) this.#socket.destroy();
    else this.#use();
  }

  #use(): void {
    this.#usedMs = performance.now();
    this.#usedBytes = this.#socket.bytesRead;
  }
}

export class Connections {
  readonly #server: Server;
  readonly #lastCallMs: number;
  readonly #all = new Map<Socket, Connection>();
  #accepted = 0;
  #isShut = false;

  /** @param lastCallMs how long one that was used lately waits for its last request */
  constructor(server: Server, lastCallMs: number) {
    this.#server = server;
    this.#lastCallMs = lastCallMs;
    server.on('connection', (socket: Socket) => {
      this.#accepted++;
      this.#all.set(socket, new Connection(this, socket));
      socket.once('close', () => this.#all.delete(socket));
    });
  }

  /** Nobody can come any more. */
  get isShut(): boolean {
    return this.#isShut;
  }

  /** Undefined when it is closed. */
  of(socket: Socket): Connection | undefined {
    return this.#all.get(socket);
  }

  /** Resolves when none is left. */
  async close(graceMs: number): Promise<void> {
    const limitMs = performance.now() + graceMs;
    const limit = setTimeout(() => this.#breakOff(), graceMs);
    await this.#untilQuiet();
    const closed = new Promise<void>((resolve) => {
      // The one of node:http would close what is idle, whatever has arrived there, and stop its watch over slow callers.
      Listener.prototype.close.call(this.#server, () => resolve());
    });
    this.#isShut = true;
    // Some may have come after the grace was over.
    if (performance.now() >= limitMs) this.#breakOff();
    this.#sweep();
    // A timer comes before what has arrived is read, an immediate after it.
    const sweeping = setInterval(() => setImmediate(() => this.#sweep()), SWEEP_MS);
    await closed;
    clearInterval(sweeping);
    clearTimeout(limit);
    this.#server.close(() => undefined);
  }

  /** N1: until a whole turn of the loop, which reads whatever can be read, has brought no connection. */
  async #untilQuiet(): Promise<void> {
    const limitMs = performance.now() + QUIET_LIMIT_MS;
    for (let quiet = 0; quiet < QUIET_TURNS && performance.now() < limitMs;) {
      const before = this.#accepted;
      await turn();
      quiet = this.#accepted === before ? quiet + 1 : 0;
    }
  }

  #sweep(): void {
    for (const connection of this.#all.values()) connection.closeIfIdle(this.#lastCallMs);
  }

  /** N4 */
  #breakOff(): void {
    for (const socket of this.#all.keys()) socket.destroy();
  }
}
