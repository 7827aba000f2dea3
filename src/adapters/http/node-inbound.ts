/**
 * One request on a `node:http` connection, behind the port.
 *
 * Invariants:
 * - F1 `onGone` fires at most once, and never after the response ended;
 * - F2 the request body ends in exactly one `end` or `fail`, unless it is cancelled;
 * - F3 a connection whose request was not read in full is not used again.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { assert } from '../../lib/assert.ts';
import type { ByteSink, ByteSource } from '../../ports/byte-stream.ts';
import type { HeaderList, InboundRequest } from '../../ports/http-front.ts';
import type { InboundHead } from './inbound-head.ts';

/** How long what is left of an unread request is thrown away, so that the caller can read its answer before a reset. */
const DISCARD_MS = 1_000;
/** The front frames and dates the message itself. */
const OWN = new Set(['transfer-encoding', 'connection', 'keep-alive']);

class RequestBody implements ByteSource {
  readonly #message: IncomingMessage;
  readonly #onStart: () => void;
  readonly #idleMs: number;
  #sink: ByteSink | undefined = undefined;
  #timer: NodeJS.Timeout | undefined = undefined;
  #over = false;
  readonly #onIdle: () => void;

  constructor(message: IncomingMessage, idleMs: number, onStart: () => void, onIdle: () => void) {
    this.#message = message;
    this.#idleMs = idleMs;
    this.#onStart = onStart;
    this.#onIdle = onIdle;
  }

  start(sink: ByteSink): void {
    assert(this.#sink === undefined, 'a body is read once');
    this.#sink = sink;
    if (this.#over) {
      sink.fail(new Error('the caller left'));
      return;
    }
    this.#onStart();
    const message = this.#message;
    message.on('data', (chunk: Buffer) => {
      if (this.#over) return;
      this.#timer?.refresh();
      if (!sink.write(chunk)) {
        message.pause();
        this.#disarm();
      }
    });
    message.on('end', () => this.#settle(undefined));
    this.#arm();
  }

  resume(): void {
    if (this.#over) return;
    this.#arm();
    this.#message.resume();
  }

  cancel(): void {
    this.#over = true;
    this.#disarm();
    // Read on and thrown away, for as long as the response lasts.
    this.#message.resume();
  }

  fail(error: Error): void {
    this.#settle(error);
  }

  #settle(error: Error | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#disarm();
    if (error === undefined) this.#sink?.end();
    else this.#sink?.fail(error);
  }

  #arm(): void {
    this.#timer ??= setTimeout(() => {
      // First the role, which may answer; then whoever reads the body.
      this.#onIdle();
      this.#settle(new Error('the request body made no progress'));
    }, this.#idleMs);
  }

  #disarm(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/** What carries the request. */
export interface Carrier {
  /** Asked when the head is sent. @returns whether this answer is the last: those of requests that are behind it come first */
  endsWith(inbound: NodeInbound): boolean;
  /** The request is over. */
  end(): void;
}

export class NodeInbound implements InboundRequest {
  readonly method: string;
  readonly target: string;
  readonly host: string;
  readonly headers: HeaderList;
  readonly body: ByteSource | undefined;
  readonly contentLength: number | undefined;
  readonly remoteAddress: string;
  readonly #message: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #idleMs: number;
  readonly #connection: Carrier;
  #requestBody: RequestBody | undefined = undefined;
  #onGone: ((how: 'left' | 'stalled') => void) | undefined = undefined;
  #gone: 'left' | 'stalled' | undefined = undefined;
  #continueOwed: boolean;
  #responded = false;
  #ended = false;
  #source: ByteSource | undefined = undefined;
  #stall: NodeJS.Timeout | undefined = undefined;

  constructor(
    message: IncomingMessage,
    response: ServerResponse,
    head: InboundHead,
    expects: boolean,
    idleMs: number,
    connection: Carrier,
  ) {
    this.#message = message;
    this.#response = response;
    this.#continueOwed = expects;
    this.#idleMs = idleMs;
    this.#connection = connection;
    this.method = head.method;
    this.target = head.target;
    this.host = head.host;
    this.headers = head.headers;
    this.contentLength = head.contentLength;
    this.remoteAddress = message.socket.remoteAddress ?? '';
    if (head.hasBody) {
      this.#requestBody = new RequestBody(
        message,
        idleMs,
        () => {
          if (this.#continueOwed && !this.#responded) response.writeContinue();
          this.#continueOwed = false;
        },
        () => this.#onBodyIdle(),
      );
    }
    this.body = this.#requestBody;
    message.on('error', () => undefined);
    response.on('error', () => undefined);
    response.on('close', () => this.#onClose());
  }

  get headSent(): boolean {
    return this.#response.headersSent;
  }

  onGone(handler: (how: 'left' | 'stalled') => void): void {
    this.#onGone = handler;
    if (this.#gone !== undefined) handler(this.#gone);
  }

  respond(status: number, headers: HeaderList, body: ByteSource | Uint8Array | undefined): void {
    assert(!this.#responded, 'a request is answered once');
    this.#responded = true;
    if (this.#gone === 'left' || this.#response.destroyed) {
      if (body !== undefined && !(body instanceof Uint8Array)) body.cancel();
      return;
    }
    const flat: string[] = [];
    for (const [name, value] of headers) if (!OWN.has(name)) flat.push(name, value);
    if (body instanceof Uint8Array && !flat.includes('content-length')) {
      flat.push('content-length', String(body.length));
    }
    // A caller that nobody told to continue will not send its body: the connection cannot be used again.
    if (this.#continueOwed) this.#response.shouldKeepAlive = false;
    if (this.#connection.endsWith(this)) this.#response.shouldKeepAlive = false;
    this.#response.writeHead(status, flat);
    if (body === undefined) this.#end();
    else if (body instanceof Uint8Array) {
      this.#response.write(body);
      this.#end();
    } else this.#stream(body);
  }

  abort(): void {
    this.#message.socket.destroy();
  }

  /** The parser refused the rest of the request. */
  broken(error: Error): void {
    this.#requestBody?.fail(error);
    this.#leave('left');
  }

  #stream(source: ByteSource): void {
    this.#source = source;
    const response = this.#response;
    response.on('drain', () => {
      this.#disarmStall();
      source.resume();
    });
    source.start({
      write: (chunk) => {
        if (this.#gone !== undefined) return false;
        if (response.write(chunk)) return true;
        this.#stall ??= setTimeout(() => this.abort(), this.#idleMs);
        return false;
      },
      end: () => {
        this.#source = undefined;
        this.#end();
      },
      fail: () => {
        this.#source = undefined;
        this.abort();
      },
    });
  }

  #end(): void {
    this.#ended = true;
    this.#response.end();
    if (this.#message.complete) return;
    // F3
    const socket = this.#message.socket;
    this.#requestBody?.cancel();
    this.#message.resume();
    const timer = setTimeout(() => {
      if (!this.#message.complete) socket.destroy();
    }, DISCARD_MS);
    socket.once('close', () => clearTimeout(timer));
    this.#message.once('end', () => clearTimeout(timer));
  }

  #onBodyIdle(): void {
    this.#response.shouldKeepAlive = false;
    this.#leave('stalled');
  }

  #onClose(): void {
    this.#disarmStall();
    if (!this.#response.writableFinished || !this.#ended) {
      this.#requestBody?.fail(new Error('the caller left'));
      this.#leave('left');
    } else this.#requestBody?.cancel();
    this.#connection.end();
  }

  /** F1 */
  #leave(how: 'left' | 'stalled'): void {
    if (this.#gone !== undefined) return;
    this.#gone = how;
    this.#source?.cancel();
    this.#source = undefined;
    this.#onGone?.(how);
  }

  #disarmStall(): void {
    if (this.#stall !== undefined) clearTimeout(this.#stall);
    this.#stall = undefined;
  }
}
