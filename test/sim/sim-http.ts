/** The data plane's listener and its way to sandboxes, without a socket: requests are calls, sandboxes are looked up. */
import type { ByteSink, ByteSource } from '../../src/ports/byte-stream.ts';
import type { HeaderList, HttpFront, InboundRequest } from '../../src/ports/http-front.ts';
import type { Clock } from '../../src/ports/system.ts';
import type {
  Exchange,
  Upstream,
  UpstreamFailure,
  UpstreamHandlers,
  UpstreamRequest,
} from '../../src/ports/upstream.ts';
import type { Prng } from '../../src/lib/prng.ts';
import type { SimProcess } from './process.ts';

export interface SimAnswer {
  readonly status: number;
  readonly reason: string;
  /** Of the sandbox that answered; empty when the platform did. */
  readonly body: string;
}

export class SimFront implements HttpFront {
  readonly #enter: (run: () => void) => void;
  #handler: ((request: InboundRequest) => void) | undefined;

  /** @param enter what is sent to a stopped process waits in its socket */
  constructor(enter: (run: () => void) => void = (run) => run()) {
    this.#enter = enter;
  }

  listen(
    _address: { host: string; port: number },
    handler: (request: InboundRequest) => void,
  ): Promise<{ port: number }> {
    this.#handler = handler;
    return Promise.resolve({ port: 80 });
  }

  close(): Promise<void> {
    this.#handler = undefined;
    return Promise.resolve();
  }

  /**
   * One GET; `answer` is called once, or never if the data plane dies.
   *
   * @returns false: nobody listens
   */
  send(target: string, headers: HeaderList, answer: (answer: SimAnswer) => void): boolean {
    const leave = this.receive(
      { target, headers, remoteAddress: 'client' },
      (status, responseHeaders, body) => {
        const reason = reasonIn(responseHeaders);
        if (body === undefined || body instanceof Uint8Array) {
          const text = body === undefined || status !== 200 ? '' : new TextDecoder().decode(body);
          answer({ status, reason, body: text });
          return;
        }
        let text = '';
        body.start({
          write: (chunk) => {
            text += new TextDecoder().decode(chunk);
            return true;
          },
          end: () => answer({ status, reason, body: text }),
          fail: () => answer({ status: 0, reason: 'broken', body: text }),
        } satisfies ByteSink);
      },
    );
    return leave !== undefined;
  }

  /** @returns what the sender calls when it leaves; undefined: nobody listens */
  receive(request: SimRequest, respond: InboundRequest['respond']): (() => void) | undefined {
    let leave = (): void => undefined;
    const handler = this.#handler;
    if (handler === undefined) return undefined;
    const inbound: InboundRequest = {
      method: 'GET',
      host: '',
      body: undefined,
      contentLength: undefined,
      ...request,
      onGone: (handler) => (leave = () => handler('left')),
      respond,
      abort: () => respond(0, [['x-baton-error', 'aborted']], undefined),
    };
    this.#enter(() => handler(inbound));
    return () => leave();
  }
}

type SimRequest = Pick<InboundRequest, 'target' | 'headers' | 'remoteAddress'> &
  Partial<Pick<InboundRequest, 'host'>>;

const reasonIn = (headers: HeaderList): string =>
  headers.find(([name]) => name === 'x-baton-error')?.[1] ?? '';

/** A sandbox that listens. */
export interface Served {
  readonly body: string;
  readonly takesMs: number;
  /** A request is there, and has been answered or given up. */
  arrive(): void;
  leave(): void;
}

/** Who listens at an address. */
export type SimTarget =
  | { readonly kind: 'nobody' }
  /** What is sent there is lost on the way. */
  | { readonly kind: 'unreachable' }
  | { readonly kind: 'sandbox'; readonly served: Served }
  | { readonly kind: 'peer'; readonly front: SimFront; readonly process: SimProcess };

const CONNECT_TIMEOUT_MS = 1_000;
const RETRANSMIT_MS = 100;
const HOP_MS = 0.5;

/** Requests take their time, and fail in the way the sandbox does. */
export class SimUpstream implements Upstream {
  readonly #process: SimProcess;
  readonly #random: Prng;
  readonly #find: (address: string) => SimTarget;
  readonly #onRefused: (address: string) => void;

  constructor(
    process: SimProcess,
    random: Prng,
    find: (address: string) => SimTarget,
    onRefused: (address: string) => void,
  ) {
    this.#process = process;
    this.#random = random;
    this.#find = find;
    this.#onRefused = onRefused;
  }

  send(request: UpstreamRequest, handlers: UpstreamHandlers): Exchange {
    const { clock } = this.#process;
    const witnessed: UpstreamHandlers = {
      ...handlers,
      onFailure: (how, error) => {
        if (how === 'refused') this.#onRefused(request.address);
        handlers.onFailure(how, error);
      },
    };
    const exchange = new SimExchange(clock, request, witnessed, this.#find);
    clock.after(0.1 + this.#random.float() * 0.2, () => exchange.connect());
    return exchange;
  }

  forget(): void {
    // There are no connections to close.
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

class SimExchange implements Exchange {
  readonly #clock: Clock;
  readonly #request: UpstreamRequest;
  readonly #handlers: UpstreamHandlers;
  readonly #find: (address: string) => SimTarget;
  #over = false;
  #onCancel: () => void = () => undefined;

  constructor(
    clock: Clock,
    request: UpstreamRequest,
    handlers: UpstreamHandlers,
    find: (address: string) => SimTarget,
  ) {
    this.#clock = clock;
    this.#request = request;
    this.#handlers = handlers;
    this.#find = find;
  }

  get #target(): SimTarget {
    return this.#find(this.#request.address);
  }

  connect(): void {
    const target = this.#target;
    if (this.#over) return;
    switch (target.kind) {
      case 'nobody':
        return this.#fail('refused');
      case 'unreachable':
        return void this.#clock.after(CONNECT_TIMEOUT_MS, () => this.#fail('refused'));
      case 'sandbox':
        return this.#ask(target.served);
      case 'peer':
        return this.#hop(target.front, target.process);
      default:
        return target satisfies never;
    }
  }

  #ask(served: Served): void {
    const deadlineMs = this.#clock.now() + this.#request.headTimeoutMs;
    served.arrive();
    this.#clock.after(served.takesMs, () => {
      served.leave();
      this.#hear(deadlineMs, () => this.#respond(200, [], oneChunk(served.body)));
    });
  }

  /** What comes back over a connection that may have been parted meanwhile: by the deadline, or not at all. */
  #hear(deadlineMs: number, run: () => void): void {
    if (this.#over) return;
    const { kind } = this.#target;
    // It may have died while it was at it.
    if (kind === 'nobody') return this.#fail('lost');
    if (kind !== 'unreachable') return run();
    if (this.#clock.now() >= deadlineMs) return this.#fail('timeout', false);
    this.#clock.after(RETRANSMIT_MS, () => this.#hear(deadlineMs, run));
  }

  #hop(front: SimFront, peer: SimProcess): void {
    const { target, headers, headTimeoutMs } = this.#request;
    const deadlineMs = this.#clock.now() + headTimeoutMs;
    peer.onExit(() => void this.#clock.after(HOP_MS, () => this.#fail('lost')));
    const leave = front.receive({ target, headers, remoteAddress: 'peer' }, (status, answered, body) => {
      this.#clock.after(HOP_MS, () =>
        this.#hear(deadlineMs, () => this.#respond(status, answered, sourceOf(body))),
      );
    });
    if (leave === undefined) return this.#fail('refused');
    this.#onCancel = leave;
    this.#clock.after(headTimeoutMs, () => this.#fail('timeout'));
  }

  #respond(status: number, headers: HeaderList, body: ByteSource): void {
    if (this.#over) return;
    this.#handlers.onResponse(status, headers, body);
    this.#finish(true);
  }

  #fail(how: UpstreamFailure, finished = true): void {
    if (this.#over) return;
    this.#handlers.onFailure(how, new Error(how));
    this.#finish(finished);
  }

  #finish(finished: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.#handlers.onDone(finished);
  }

  cancel(): void {
    if (this.#over) return;
    this.#onCancel();
    this.#clock.soon(() => this.#finish(false));
  }
}

function sourceOf(body: Uint8Array | ByteSource | undefined): ByteSource {
  return body === undefined || body instanceof Uint8Array ? oneChunk('') : body;
}

function oneChunk(text: string): ByteSource {
  return {
    start: (sink) => {
      sink.write(new TextEncoder().encode(text));
      sink.end();
    },
    resume: () => undefined,
    cancel: () => undefined,
  };
}
