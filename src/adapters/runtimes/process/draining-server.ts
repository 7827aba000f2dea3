/**
 * An HTTP server that can stop without cutting anything off. node:http takes a connection for idle once `end()` was called on
 * its response, and closes it with bytes still unwritten; here a connection is idle when its last response has been written.
 */
import { createServer, type RequestListener, type ServerResponse, type Server } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';

export class DrainingServer {
  readonly http: Server;
  /** By connection: responses begun and not yet written. */
  readonly #open = new Map<Socket, Set<ServerResponse>>();
  #isDraining = false;

  constructor(onRequest: RequestListener) {
    // The data plane in front has its own, configured limits; a pooled connection must not be closed under it.
    const options = { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0, maxHeaderSize: 65_536 };
    this.http = createServer(options, (incoming, response) => {
      this.#track(incoming.socket, response);
      onRequest(incoming, response);
    });
    this.http.on('connection', (socket: Socket) => {
      this.#open.set(socket, new Set());
      socket.once('close', () => this.#open.delete(socket));
    });
  }

  /** Accepts nothing more; resolves when every request that had come in is answered. */
  drain(): Promise<void> {
    this.#isDraining = true;
    for (const responses of this.#open.values()) responses.forEach(announceEnd);
    return new Promise((resolve) => {
      NetServer.prototype.close.call(this.http, () => resolve());
      // What arrived before the end was announced is read first.
      setImmediate(() => setImmediate(() => this.#closeIdle()));
    });
  }

  #track(socket: Socket, response: ServerResponse): void {
    const responses = this.#open.get(socket);
    responses?.add(response);
    if (this.#isDraining) announceEnd(response);
    response.once('close', () => {
      responses?.delete(response);
      if (this.#isDraining && responses?.size === 0) socket.destroySoon();
    });
  }

  #closeIdle(): void {
    for (const [socket, responses] of this.#open) if (responses.size === 0) socket.destroySoon();
  }
}

/** The caller must not send another request on this connection. */
function announceEnd(response: ServerResponse): void {
  if (!response.headersSent) response.shouldKeepAlive = false;
}
