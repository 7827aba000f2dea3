/** The data plane's listener, as the role sees it. */
import type { ByteSource } from './byte-stream.ts';

/** Names in lower case, in arrival order; repeated names stay repeated. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

export interface InboundRequest {
  readonly method: string;
  /** Origin form: path and query, as received. */
  readonly target: string;
  /** Authority from Host or :authority, lower case, without port. */
  readonly host: string;
  readonly headers: HeaderList;
  /** Undefined when the request has none. */
  readonly body: ByteSource | undefined;
  readonly contentLength: number | undefined;
  readonly remoteAddress: string;
  /** Called once if the caller leaves before the response has ended. */
  onGone(handler: () => void): void;
  /** Sends the head and streams the body; resolves when the last byte was handed over or the caller left. Once. */
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
  close(graceMs: number): Promise<void>;
}
