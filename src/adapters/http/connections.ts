/**
 * The connections of a listener, and how they end in good order. Closing a listener resets what the kernel has accepted and the
 * process has not; closing an idle connection resets a request that has arrived and was not read; and a caller that is about to
 * use one cannot know that it is closed. Therefore:
 *
 *   N1  what had arrived when the end began is served;
 *   N2  from then on each answer is the last on its connection, and says so (RFC 9112, section 9.6);
 *   N3  a connection that was used lately waits for its next request; one that was not is closed at once, while its caller still
 *       has others that it would rather use (the `keepalive_min_timeout` of nginx);
 *   N4  nothing outlives the grace.
 */
import type { Server } from 'node:http';
import { Server as Listener, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import type { NodeInbound } from './node-inbound.ts';

interface Connection {
  /** The request that came last, while it runs. */
  current: NodeInbound | undefined;
  /** More than one with pipelining. */
  running: number;
  usedMs: number;
  /** What had been read when it was used last: more than that is a request that begins. */
  readBytes: number;
}

const LAST_CALL_MS = 250;
const SWEEP_MS = 25;
/** The loop accepts one connection in a turn, and a listener's queue is shorter than this. */
const MOST_TURNS = 1_024;
/** The first turn may be what is left of one that had begun before. */
const QUIET_TURNS = 2;

export class Connections {
  readonly #server: Server;
  readonly #all = new Map<Socket, Connection>();
  #accepted = 0;
  #isClosing = false;

  constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket: Socket) => {
      this.#accepted++;
      this.#all.set(socket, { current: undefined, running: 0, usedMs: performance.now(), readBytes: 0 });
      socket.once('close', () => this.#all.delete(socket));
    });
  }

  /** The request that came last on it, while it runs. */
  current(socket: Socket): NodeInbound | undefined {
    return this.#all.get(socket)?.current;
  }

  begin(socket: Socket, inbound: NodeInbound): void {
    const connection = this.#all.get(socket);
    if (connection === undefined) return;
    connection.running++;
    connection.current = inbound;
    if (this.#isClosing) inbound.closeAfterwards();
  }

  end(socket: Socket): void {
    const connection = this.#all.get(socket);
    if (connection === undefined || --connection.running > 0) return;
    connection.current = undefined;
    connection.usedMs = performance.now();
    connection.readBytes = socket.bytesRead;
  }

  /** Resolves when none is left. */
  async close(graceMs: number): Promise<void> {
    const server = this.#server;
    this.#isClosing = true;
    for (const { current } of this.#all.values()) current?.closeAfterwards();
    await this.#untilQuiet();
    const closed = new Promise<void>((resolve) => {
      // The one of node:http would close what is idle, whatever has arrived there, and stop its watch over slow callers.
      Listener.prototype.close.call(server, () => resolve());
    });
    this.#sweep();
    const sweeping = setInterval(() => this.#sweep(), SWEEP_MS);
    const limit = setTimeout(() => server.closeAllConnections(), graceMs);
    await closed;
    clearInterval(sweeping);
    clearTimeout(limit);
    server.close(() => undefined);
  }

  /** N1: until a whole turn of the loop, which reads whatever can be read, has brought no connection. */
  async #untilQuiet(): Promise<void> {
    for (let turns = 0, quiet = 0; turns < MOST_TURNS && quiet < QUIET_TURNS; turns++) {
      const before = this.#accepted;
      await turn();
      quiet = this.#accepted === before ? quiet + 1 : 0;
    }
  }

  /** N3 */
  #sweep(): void {
    const since = performance.now() - LAST_CALL_MS;
    for (const [socket, { running, usedMs, readBytes }] of this.#all) {
      if (running === 0 && usedMs <= since && socket.bytesRead === readBytes) socket.destroy();
    }
  }
}
