/** A data plane's callers and sandboxes in a rehearsal: requests without a body, answers without a wire. */
import type { ByteSource } from '../../ports/byte-stream.ts';
import type { HttpFront, InboundRequest } from '../../ports/http-front.ts';
import type { Clock } from '../../ports/system.ts';
import type { Upstream } from '../../ports/upstream.ts';

export class RehearsedFront implements HttpFront {
  #handler: (request: InboundRequest) => void = () => undefined;

  listen(
    { port }: { host: string; port: number },
    handler: (request: InboundRequest) => void,
  ): Promise<{ port: number }> {
    this.#handler = handler;
    return Promise.resolve({ port });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  receive(target: string, onAnswer: (status: number) => void): void {
    this.#handler({
      method: 'GET',
      target,
      host: '',
      headers: [],
      body: undefined,
      contentLength: undefined,
      remoteAddress: 'rehearsal',
      onGone: () => undefined,
      respond: (status, _headers, body) => {
        if (body !== undefined && !(body instanceof Uint8Array))
          body.start({ write: () => true, end: () => undefined, fail: () => undefined });
        onAnswer(status);
      },
      abort: () => onAnswer(0),
    });
  }
}

const emptyBody: ByteSource = {
  start: (sink) => sink.end(),
  resume: () => undefined,
  cancel: () => undefined,
};

/** Every sandbox answers at once. */
export function rehearsedUpstream(clock: Clock): Upstream {
  return {
    send(_request, handlers) {
      clock.soon(() => {
        handlers.onResponse(200, [], emptyBody);
        handlers.onDone(true);
      });
      return { cancel: () => undefined };
    },
    forget: () => undefined,
    close: () => Promise.resolve(),
  };
}
