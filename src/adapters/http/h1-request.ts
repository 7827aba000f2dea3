/** Writes one request: head and framed body, with backpressure towards the caller. */
import type { Socket } from 'node:net';
import { assert } from '../../lib/assert.ts';
import type { ByteSink } from '../../ports/byte-stream.ts';
import type { UpstreamRequest } from '../../ports/upstream.ts';

/** Nothing that ends a line or a string early may reach the wire. */
// oxlint-disable-next-line no-control-regex
const UNSAFE = /[\0\r\n]/;

export function requestHead(request: UpstreamRequest): string {
  let head = `${request.method} ${request.target} HTTP/1.1\r\n`;
  assert(!UNSAFE.test(head.slice(0, -2)), 'a request line is one line');
  for (const [name, value] of request.headers) {
    assert(!UNSAFE.test(value), 'a header value is one line');
    head += `${name}: ${value}\r\n`;
  }
  if (request.contentLength !== undefined) head += `content-length: ${request.contentLength}\r\n`;
  else if (request.body !== undefined) head += 'transfer-encoding: chunked\r\n';
  return `${head}\r\n`;
}

export class RequestWriter implements ByteSink {
  readonly #socket: Socket;
  readonly #request: UpstreamRequest;
  readonly #onBroken: () => void;
  #left: number;
  #stopped = false;
  #finished = false;
  #blocked = false;

  /** @param onBroken the body failed, or was not as long as declared */
  constructor(socket: Socket, request: UpstreamRequest, onBroken: () => void) {
    this.#socket = socket;
    this.#request = request;
    this.#onBroken = onBroken;
    this.#left = request.contentLength ?? Number.POSITIVE_INFINITY;
  }

  /** Everything was given to the socket. */
  get finished(): boolean {
    return this.#finished;
  }

  start(): void {
    const { body } = this.#request;
    this.#socket.cork();
    this.#socket.write(requestHead(this.#request), 'latin1');
    if (body === undefined) this.#finished = true;
    else body.start(this);
    this.#socket.uncork();
  }

  write(chunk: Uint8Array): boolean {
    if (this.#stopped || chunk.length === 0) return true;
    this.#left -= chunk.length;
    if (this.#left < 0) {
      this.stop();
      this.#onBroken();
      return false;
    }
    if (this.#request.contentLength === undefined) {
      this.#socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1');
      this.#socket.write(chunk);
      this.#blocked = !this.#socket.write('\r\n', 'latin1');
    } else this.#blocked = !this.#socket.write(chunk);
    return !this.#blocked;
  }

  end(): void {
    if (this.#stopped) return;
    if (this.#request.contentLength === undefined) this.#socket.write('0\r\n\r\n', 'latin1');
    else if (this.#left > 0) {
      this.fail();
      return;
    }
    this.#stopped = true;
    this.#finished = true;
  }

  fail(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#onBroken();
  }

  onDrain(): void {
    if (this.#stopped || !this.#blocked) return;
    this.#blocked = false;
    this.#request.body?.resume();
  }

  /** Nothing more of the body is wanted. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    if (!this.#finished) this.#request.body?.cancel();
  }

  /** U2: a broken pipe on the very first write means that the sandbox had closed before. */
  nothingWritten(error: Error): boolean {
    return (error as NodeJS.ErrnoException).code === 'EPIPE' && this.#request.body === undefined;
  }
}
