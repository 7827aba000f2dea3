/**
 * One connection to one sandbox, for one exchange at a time.
 *
 * Invariants:
 * - U1 every exchange ends in exactly one onDone, after everything else;
 * - U2 `unsent` and `refused` mean that the kernel took not one byte of the request;
 * - U3 a connection is reused only when the request was written in full, the response was read in full by its own framing
 *   and nothing followed it; bytes on an idle connection destroy it;
 * - U4 after `cancel` the handlers hear nothing but onDone.
 */
import { connect, type Socket } from 'node:net';
import { assert } from '../../lib/assert.ts';
import { limits } from '../../lib/limits.ts';
import type { SandboxAddress } from '../../core/model/sandbox.ts';
import type { Exchange, UpstreamFailure, UpstreamHandlers, UpstreamRequest } from '../../ports/upstream.ts';
import { ChunkedDecoder } from './h1-chunks.ts';
import { type Framing, parseResponseHead, ProtocolError, type ResponseHead } from './h1-head.ts';
import { RequestWriter } from './h1-request.ts';
import { ResponseBody } from './response-body.ts';

export interface ConnectionOptions {
  readonly connectTimeoutMs: number;
  /** A response body that makes no progress for this long, while it is wanted, is broken off. */
  readonly bodyIdleMs: number;
  /** An idle connection is closed after this long, or a second before the sandbox would close it. */
  readonly idleMs: number;
}

export interface ConnectionEvents {
  /** It may serve another exchange. */
  onIdle(connection: H1Connection): void;
  onClosed(connection: H1Connection): void;
}

type Phase = 'connecting' | 'idle' | 'head' | 'body' | 'lingering' | 'closed';

/** Failures of this process or host, which say nothing about the sandbox. */
const LOCAL_FAILURES = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL', 'EAGAIN']);
const EMPTY = Buffer.alloc(0);

export class H1Connection implements Exchange {
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #events: ConnectionEvents;
  #phase: Phase = 'connecting';
  #request: UpstreamRequest | undefined = undefined;
  #handlers: UpstreamHandlers | undefined = undefined;
  #writer: RequestWriter | undefined = undefined;
  #body: ResponseBody | undefined = undefined;
  #framing: Framing = { kind: 'none' };
  #left = 0;
  #decoder: ChunkedDecoder | undefined = undefined;
  #keepAlive = true;
  #head: Buffer = EMPTY;
  #timer: NodeJS.Timeout | undefined = undefined;
  #error: Error | undefined = undefined;
  #paused = false;
  /** Handlers that hear nothing but onDone any more. */
  #silenced: UpstreamHandlers | undefined = undefined;
  /** Monotonic ms after which an idle connection is not to be used. */
  idleUntilMs = 0;

  constructor(address: SandboxAddress, options: ConnectionOptions, events: ConnectionEvents) {
    this.#options = options;
    this.#events = events;
    this.#socket = connect(socketAddress(address));
    this.#socket.setNoDelay(true);
    this.#socket.on('connect', () => this.#onConnect());
    this.#socket.on('data', (bytes: Buffer) => this.#onData(bytes));
    this.#socket.on('drain', () => this.#writer?.onDrain());
    this.#socket.on('end', () => this.#onEnd());
    this.#socket.on('error', (error) => {
      this.#error = error;
    });
    this.#socket.on('close', () => this.#onClose());
  }

  get usable(): boolean {
    return this.#phase === 'idle' && !this.#socket.destroyed && this.#socket.writable;
  }

  /** Takes the exchange; the connection is idle or still connecting. */
  begin(request: UpstreamRequest, handlers: UpstreamHandlers): void {
    assert(this.#handlers === undefined, 'U3: one exchange at a time');
    this.#request = request;
    this.#handlers = handlers;
    if (this.#phase === 'connecting') this.#arm(this.#options.connectTimeoutMs, () => this.#socket.destroy());
    else this.#send();
  }

  cancel(): void {
    this.#giveUp();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #onConnect(): void {
    if (this.#handlers === undefined) this.#socket.destroy();
    else this.#send();
  }

  #send(): void {
    const request = this.#request;
    assert(request !== undefined, 'there is a request to send');
    this.#phase = 'head';
    this.#head = EMPTY;
    this.#body = undefined;
    this.#disarm();
    if (request.headTimeoutMs > 0) this.#arm(request.headTimeoutMs, () => this.#onHeadTimeout());
    this.#writer = new RequestWriter(this.#socket, request, () => {
      // The caller's body failed: the request can never be completed, and the sandbox must not take it for whole.
      const listening = this.#silence();
      this.#giveUp();
      listening?.onFailure('lost', new Error('the request body ended early'));
    });
    this.#writer.start();
  }

  // --- reading ------------------------------------------------------------------------------------------------------

  #onData(bytes: Buffer): void {
    try {
      switch (this.#phase) {
        case 'head':
          this.#onHeadBytes(bytes);
          return;
        case 'body':
          this.#onBodyBytes(bytes);
          return;
        case 'lingering':
        case 'closed':
          return;
        case 'idle':
        case 'connecting':
          // U3: a sandbox that speaks before it is spoken to.
          this.#socket.destroy();
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#broken('protocol', error);
    }
  }

  #onHeadBytes(bytes: Buffer): void {
    const data = this.#head.length === 0 ? bytes : Buffer.concat([this.#head, bytes]);
    const end = data.indexOf('\r\n\r\n');
    if (end === -1) {
      if (data.length > limits.requestHeaderBytes) throw new ProtocolError('response head is too large');
      this.#head = data;
      return;
    }
    const request = this.#request;
    assert(request !== undefined, 'a response belongs to a request');
    const head = parseResponseHead(
      data.toString('latin1', 0, end),
      request.method,
      limits.requestHeaderCount,
    );
    const rest = data.subarray(end + 4);
    this.#head = EMPTY;
    if (head.status === 101) throw new ProtocolError('switched protocols unasked');
    if (head.status < 200) {
      if (rest.length > 0) this.#onHeadBytes(rest);
      return;
    }
    this.#onHead(head, rest);
  }

  #onHead(head: ResponseHead, rest: Buffer): void {
    this.#disarm();
    this.#phase = 'body';
    this.#framing = head.framing;
    this.#keepAlive = head.keepAlive;
    this.#left = head.framing.kind === 'length' ? head.framing.bytes : 0;
    this.#decoder = head.framing.kind === 'chunked' ? new ChunkedDecoder() : undefined;
    const idleMs = Math.min(this.#options.idleMs, Math.max(0, (head.idleMs ?? Infinity) - 1_000));
    this.idleUntilMs = performance.now() + idleMs;
    // A reader may hold a body that is whole long after this connection serves another exchange.
    const body: ResponseBody = new ResponseBody(
      (flowing) => {
        if (this.#body === body) this.#flow(flowing);
      },
      () => {
        if (this.#body === body) this.#giveUp();
      },
    );
    this.#body = body;
    this.#handlers?.onResponse(head.status, head.headers, body);
    if (this.#body !== body) return;
    if (head.framing.kind === 'none') this.#complete(rest.length);
    else if (rest.length > 0) this.#onBodyBytes(rest);
    else this.#armBodyIdle();
  }

  #onBodyBytes(bytes: Buffer): void {
    switch (this.#framing.kind) {
      case 'none':
        throw new ProtocolError('more bytes than declared');
      case 'close':
        this.#emit(bytes);
        return;
      case 'length': {
        const slice = bytes.subarray(0, this.#left);
        this.#left -= slice.length;
        this.#emit(slice);
        if (this.#left === 0) this.#complete(bytes.length - slice.length);
        return;
      }
      case 'chunked': {
        const decoder = this.#decoder;
        assert(decoder !== undefined, 'a chunked body has a decoder');
        const used = decoder.push(bytes, (slice) => this.#emit(slice));
        if (decoder.done) this.#complete(bytes.length - used);
      }
    }
  }

  #emit(slice: Buffer): void {
    if (slice.length === 0 || this.#phase !== 'body') return;
    this.#armBodyIdle();
    if (this.#body?.push(slice) === false) this.#flow(false);
  }

  #flow(flowing: boolean): void {
    if (this.#paused === !flowing) return;
    this.#paused = !flowing;
    if (flowing) {
      this.#socket.resume();
      this.#armBodyIdle();
    } else {
      this.#socket.pause();
      // A reader that is slow is not the sandbox's fault.
      this.#disarm();
    }
  }

  /** The response is whole; `excess` bytes came after it. */
  #complete(excess: number): void {
    if (this.#phase === 'lingering' || this.#phase === 'closed') {
      if (this.#phase === 'lingering') this.#finish(true);
      return;
    }
    this.#disarm();
    if (this.#paused) {
      this.#paused = false;
      this.#socket.resume();
    }
    const body = this.#body;
    this.#body = undefined;
    const reusable = excess === 0 && this.#keepAlive && this.#writer?.finished === true;
    this.#writer?.stop();
    if (reusable) {
      this.#phase = 'idle';
      const handlers = this.#clear();
      body?.end();
      handlers?.onDone(true);
      if (this.usable) this.#events.onIdle(this);
    } else {
      body?.end();
      this.#finish(true);
    }
  }

  // --- ends ---------------------------------------------------------------------------------------------------------

  #onHeadTimeout(): void {
    const handlers = this.#silence();
    this.#giveUp();
    handlers?.onFailure('timeout', new Error('no response head in time'));
  }

  /** U4: from here on only onDone. With a linger, the sandbox sees our side close and finishes in its own time. */
  #giveUp(): void {
    if (this.#phase === 'closed' || this.#phase === 'lingering' || this.#phase === 'idle') return;
    this.#silence();
    this.#writer?.stop();
    const body = this.#body;
    this.#body = undefined;
    body?.cancel();
    const lingerMs = this.#request?.lingerMs ?? 0;
    if (lingerMs === 0 || this.#phase === 'connecting') {
      this.#socket.destroy();
      return;
    }
    this.#phase = 'lingering';
    this.#socket.resume();
    this.#socket.end();
    this.#arm(lingerMs, () => this.#finish(false));
  }

  #onEnd(): void {
    if (this.#phase === 'lingering') this.#finish(true);
    else if (this.#phase === 'body' && this.#framing.kind === 'close') this.#complete(0);
    // Anything else ends in `close`, because the socket is not half-open.
  }

  #broken(failure: UpstreamFailure, error: Error): void {
    const body = this.#body;
    this.#body = undefined;
    if (body !== undefined) body.fail(error);
    else this.#silence()?.onFailure(failure, error);
    this.#socket.destroy();
  }

  #onClose(): void {
    if (this.#phase === 'closed') return;
    const phase = this.#phase;
    const error = this.#error ?? new Error('the connection closed');
    const body = this.#body;
    this.#body = undefined;
    if (phase === 'connecting') this.#silence()?.onFailure(connectFailure(error), error);
    else if (phase === 'head') {
      const unsent = this.#writer?.nothingWritten(error) === true;
      this.#silence()?.onFailure(unsent ? 'unsent' : 'lost', error);
    } else if (phase === 'body') body?.fail(error);
    // The sandbox closed by itself: whatever it was at is over. We closed: nobody knows.
    this.#finish(phase === 'connecting' || this.#error !== undefined || this.#socket.readableEnded);
  }

  /** U1. */
  #finish(finished: boolean): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#disarm();
    this.#writer?.stop();
    this.#silenced = undefined;
    const handlers = this.#clear();
    this.#socket.destroy();
    handlers?.onDone(finished);
    this.#events.onClosed(this);
  }

  /** The handlers, the first time only: whoever gets them is the one who speaks. */
  #silence(): UpstreamHandlers | undefined {
    const handlers = this.#handlers;
    if (handlers === undefined || this.#silenced === handlers) return undefined;
    this.#silenced = handlers;
    return handlers;
  }

  #clear(): UpstreamHandlers | undefined {
    const handlers = this.#handlers;
    this.#handlers = undefined;
    this.#request = undefined;
    this.#writer = undefined;
    this.#silenced = undefined;
    return handlers;
  }

  #arm(ms: number, run: () => void): void {
    this.#disarm();
    this.#timer = setTimeout(run, ms);
  }

  #disarm(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #armBodyIdle(): void {
    if (this.#timer !== undefined) this.#timer.refresh();
    else {
      this.#arm(this.#options.bodyIdleMs, () =>
        this.#broken('lost', new Error('the response body made no progress')),
      );
    }
  }
}

function connectFailure(error: Error): UpstreamFailure {
  return LOCAL_FAILURES.has((error as NodeJS.ErrnoException).code ?? '') ? 'unsent' : 'refused';
}

function socketAddress(address: SandboxAddress): { path: string } | { host: string; port: number } {
  if (address.startsWith('unix:')) return { path: address.slice(5) };
  const colon = address.lastIndexOf(':');
  assert(address.startsWith('tcp:') && colon > 4, `a sandbox address, not ${address}`);
  return { host: address.slice(4, colon), port: Number(address.slice(colon + 1)) };
}
