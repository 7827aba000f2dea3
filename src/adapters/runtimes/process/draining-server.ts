/**
 * An HTTP server that can stop without cutting anything off. node:http takes a connection for idle once `end()` was called on
 * its response, and closes it with bytes still unwritten; here a connection is idle when its last response has been written.
 */
import { createServer, type RequestListener, type ServerResponse, type Server } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';

export class DrainingServer {
  readonly http: Server;
  /** By connection: requests begun and responses not yet written. */
  readonly #busy = new Map<Socket, number>();
  #isDraining = false;

  constructor(onRequest: RequestListener) {
    // The data plane in front has its own, configured limits; a pooled connection must not be closed under it.
    const options = { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0, maxHeaderSize: 65_536 };
    this.http = createServer(options, (incoming, response) => {
      this.#track(incoming.socket, response);
      onRequest(incoming, response);
    });
    this.http.on('connection', (socket: Socket) => {
      this.#busy.set(socket, 0);
      socket.once('close', () => this.#busy.delete(socket));
    });
  }

  /** Accepts nothing more; resolves when every request that had come in is answered. */
  drain(): Promise<void> {
    this.#isDraining = true;
    return new Promise((resolve) => {
      NetServer.prototype.close.call(this.http, () => resolve());
      // What arrived before the end was announced is read first.
      setImmediate(() => setImmediate(() => this.#closeIdle()));
    });
  }

  #track(socket: Socket, response: ServerResponse): void {
    this.#busy.set(socket, (this.#busy.get(socket) ?? 0) + 1);
    if (this.#isDraining) response.shouldKeepAlive = false;
    response.once('close', () => {
      const left = (this.#busy.get(socket) ?? 1) - 1;
      if (this.#busy.has(socket)) this.#busy.set(socket, left);
      if (this.#isDraining && left === 0) socket.destroySoon();
    });
  }

  #closeIdle(): void {
    for (const [socket, requests] of this.#busy) if (requests === 0) socket.destroySoon();
  }
}
