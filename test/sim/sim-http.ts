/** The data plane's listener and its way to sandboxes, without a socket: requests are calls, sandboxes are looked up. */
import type { ByteSink, ByteSource } from '../../src/ports/byte-stream.ts';
import type { HeaderList, HttpFront, InboundRequest } from '../../src/ports/http-front.ts';
import type { Exchange, Upstream, UpstreamHandlers, UpstreamRequest } from '../../src/ports/upstream.ts';
import type { Prng } from '../../src/lib/prng.ts';
import type { SimProcess } from './process.ts';

export interface SimAnswer {
  readonly status: number;
  readonly reason: string;
  /** Of the sandbox that answered; empty when the platform did. */
  readonly body: string;
}

export class SimFront implements HttpFront {
  #handler: ((request: InboundRequest) => void) | undefined;

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

  /** One GET; `answer` is called once, or never if the data plane dies. */
  send(target: string, headers: HeaderList, answer: (answer: SimAnswer) => void): void {
    this.#handler?.({
      method: 'GET',
      target,
      host: '',
      headers,
      body: undefined,
      contentLength: undefined,
      remoteAddress: 'client',
      onGone: () => undefined,
      respond: (status, responseHeaders, body) => {
        const reason = responseHeaders.find(([name]) => name === 'x-baton-error')?.[1] ?? '';
        if (body === undefined || body instanceof Uint8Array) {
          answer({ status, reason, body: '' });
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
      abort: () => answer({ status: 0, reason: 'aborted', body: '' }),
    });
  }
}

export interface Served {
  /** What the sandbox answers; undefined: nobody listens there. */
  readonly body: string;
  readonly takesMs: number;
}

/** Requests take their time, and fail in the way the sandbox does. */
export class SimUpstream implements Upstream {
  readonly #process: SimProcess;
  readonly #random: Prng;
  readonly #find: (address: string) => Served | undefined;

  constructor(process: SimProcess, random: Prng, find: (address: string) => Served | undefined) {
    this.#process = process;
    this.#random = random;
    this.#find = find;
  }

  send(request: UpstreamRequest, handlers: UpstreamHandlers): Exchange {
    const { clock } = this.#process;
    let over = false;
    const finish = (finished: boolean): void => {
      if (over) return;
      over = true;
      handlers.onDone(finished);
    };
    clock.after(0.1 + this.#random.float() * 0.2, () => {
      const served = this.#find(request.address);
      if (over) return;
      if (served === undefined) {
        handlers.onFailure('refused', new Error('refused'));
        return finish(true);
      }
      clock.after(served.takesMs, () => {
        if (over) return;
        // It may have died while it was at it.
        if (this.#find(request.address) === undefined) {
          handlers.onFailure('lost', new Error('lost'));
          return finish(true);
        }
        handlers.onResponse(200, [], oneChunk(served.body));
        finish(true);
      });
    });
    return {
      cancel: () => {
        if (!over) clock.soon(() => finish(false));
      },
    };
  }

  forget(): void {
    // There are no connections to close.
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
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
