/**
 * The listener over `node:http`. Its parser is strict already (CRLF, framing, chunk sizes); what it lets through and we do
 * not is checked here: any transfer-encoding but `chunked`, HTTP/1.0 with transfer-encoding, two Hosts, absolute-form
 * that disagrees with Host, too many headers. Nothing of `node:http` leaves this file.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { BatonError } from '../../lib/errors.ts';
import { limits } from '../../lib/limits.ts';
import type { HttpFront, InboundRequest } from '../../ports/http-front.ts';
import { Connections } from './connections.ts';
import { NodeInbound } from './node-inbound.ts';
import { parseInbound } from './inbound-head.ts';

export interface FrontOptions {
  /** Named in what a caller reads when the front itself refuses. */
  readonly component: string;
  /** The setting to name when the port is taken. */
  readonly portSetting: string;
  /** From the first byte (or the accepted connection) to the end of the head. */
  readonly headerTimeoutMs: number;
  /** Between two requests on a connection. */
  readonly idleTimeoutMs: number;
  /** Between two pieces of a request body that is wanted, and for a caller that does not read its response. */
  readonly bodyIdleMs: number;
  readonly maxConnections: number;
  /** When the front closes: how long a connection that was used lately waits for its last request. */
  readonly lastCallMs: number;
}

export const FRONT_DEFAULTS: FrontOptions = {
  component: 'data-plane',
  portSetting: 'listen.port',
  headerTimeoutMs: 10_000,
  idleTimeoutMs: 75_000,
  bodyIdleMs: 30_000,
  maxConnections: 50_000,
  lastCallMs: 250,
};

export class NodeHttpFront implements HttpFront {
  readonly #options: FrontOptions;
  #connections: Connections | undefined = undefined;

  constructor(options: Partial<FrontOptions> = {}) {
    this.#options = { ...FRONT_DEFAULTS, ...options };
  }

  listen(
    address: { host: string; port: number },
    handler: (request: InboundRequest) => void,
  ): Promise<{ port: number }> {
    const { headerTimeoutMs, idleTimeoutMs, bodyIdleMs, maxConnections, lastCallMs } = this.#options;
    const server = createServer({
      maxHeaderSize: limits.requestHeaderBytes,
      headersTimeout: headerTimeoutMs,
      requestTimeout: 0,
      keepAliveTimeout: idleTimeoutMs,
      connectionsCheckingInterval: Math.min(1_000, headerTimeoutMs),
      requireHostHeader: false,
      insecureHTTPParser: false,
      noDelay: true,
    });
    // Node drops headers beyond its count silently; the size bounds them, and the count is checked by us.
    server.maxHeadersCount = 0;
    server.maxConnections = maxConnections;
    const connections = new Connections(server, lastCallMs);
    const onRequest = (message: IncomingMessage, response: ServerResponse, expects: boolean): void => {
      const connection = connections.of(message.socket);
      // Behind an answer that was the last one, or on a connection that is gone.
      if (connection === undefined || connection.isOver) return;
      const head = parseInbound(message);
      if ('refusal' in head) {
        response.shouldKeepAlive = false;
        response.writeHead(head.refusal.status, [
          'content-type',
          'application/json',
          ...this.#errorHeaders(head.refusal.reason),
        ]);
        response.end(this.#errorBody(head.refusal.reason, head.refusal.message));
        return;
      }
      const inbound = new NodeInbound(message, response, head, expects, bodyIdleMs, connection);
      connection.begin(inbound);
      handler(inbound);
    };
    server.on('request', (message, response) => onRequest(message, response, false));
    server.on('checkContinue', (message, response) => onRequest(message, response, true));
    server.on('clientError', (error, socket) => this.#onClientError(error, socket as Socket));
    this.#connections = connections;
    return new Promise((resolve, reject) => {
      server.once('error', (cause) => {
        reject(
          new BatonError('io', `cannot listen on ${address.host}:${address.port}`, {
            fields: { path: this.#options.portSetting },
            hint: `set ${this.#options.portSetting} to a free port, or to 0`,
            cause,
          }),
        );
      });
      server.listen(address.port, address.host, () => {
        server.removeAllListeners('error');
        server.on('error', () => undefined);
        resolve({ port: (server.address() as AddressInfo).port });
      });
    });
  }

  async close(graceMs: number): Promise<void> {
    const connections = this.#connections;
    await connections?.close(graceMs);
  }

  /** The parser refused what came. Whoever waits for this request's body hears of it; nothing else on the connection counts. */
  #onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
    const current = this.#connections?.of(socket)?.current;
    const headSent = current?.headSent === true;
    current?.broken(error);
    if (error.code === 'ECONNRESET' || !socket.writable || headSent) {
      socket.destroy();
      return;
    }
    const [status, reason] = refusalOf(error);
    const body = this.#errorBody(reason, error.message);
    const headers = this.#errorHeaders(reason);
    let head = `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`;
    for (let at = 0; at + 1 < headers.length; at += 2) head += `${headers[at]}: ${headers[at + 1]}\r\n`;
    socket.end(`${head}\r\n${body}`, () => socket.destroy());
  }

  #callId = '';

  #errorHeaders(reason: string): string[] {
    this.#callId = randomUUID();
    return ['x-baton-error', reason, 'x-call-id', this.#callId];
  }

  #errorBody(reason: string, message: string): string {
    return JSON.stringify({ component: this.#options.component, reason, message, callId: this.#callId });
  }
}

function refusalOf(error: NodeJS.ErrnoException): readonly [status: string, reason: string] {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return ['431 Request Header Fields Too Large', 'headers-too-large'];
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return ['413 Payload Too Large', 'too-large'];
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return ['408 Request Timeout', 'request-timeout'];
    default:
      return ['400 Bad Request', 'bad-request'];
  }
}
