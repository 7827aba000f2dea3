/** The data plane's listener, as the role sees it. */
import type { ByteSource } from './byte-stream.ts';

/** Names in lower case, in arrival order; repeated names stay repeated. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

export interface InboundRequest {
  readonly method: string;
  /** Origin form: path and query, as received. */
  readonly target: string;
  /** Authority from Host or :authority, lower case, without port; empty when there is none. */
  readonly host: string;
  readonly headers: HeaderList;
  /** Undefined when the request has none. Starting it answers an `Expect: 100-continue`. */
  readonly body: ByteSource | undefined;
  readonly contentLength: number | undefined;
  readonly remoteAddress: string;
  /**
   * Called once if the response cannot be ended any more: the caller `left`, or its body `stalled`, in which case it may
   * still be answered.
   */
  onGone(handler: (how: 'left' | 'stalled') => void): void;
  /**
   * Sends the head and streams the body; once. The front frames the message: of the framing headers only content-length
   * is taken from `headers`. A body that fails midway ends in {@link InboundRequest.abort}.
   */
  respond(status: number, headers: HeaderList, body: ByteSource | Uint8Array | undefined): void;
  /** Breaks the connection off: the only honest end for a response whose source failed midway. */
  abort(): void;
}

export interface HttpFront {
  /** @throws BatonError `io` when the port is taken; the hint names the setting */
  listen(
    address: { host: string; port: number },
    handler: (request: InboundRequest) => void,
  ): Promise<{ port: number }>;
  /** Stops accepting, lets what runs finish for `graceMs`, then breaks it off. */
  close(graceMs: number): Promise<void>;
}
