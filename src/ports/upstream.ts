/** The client that speaks to sandboxes and to peers; connections are never shared between sandboxes. */
import type { SandboxAddress } from '../core/model/sandbox.ts';
import type { ByteSource } from './byte-stream.ts';
import type { HeaderList } from './http-front.ts';

export interface UpstreamRequest {
  readonly address: SandboxAddress;
  readonly method: string;
  readonly target: string;
  /** Without framing and hop-by-hop headers: the client frames the message itself. */
  readonly headers: HeaderList;
  readonly body: ByteSource | undefined;
  readonly contentLength: number | undefined;
  /** From the request head written to the response head; 0 is no limit. */
  readonly headTimeoutMs: number;
  /**
   * When the exchange is given up (cancelled, timed out): how long the sandbox may take to finish what it is at. The
   * sandbox sees its caller's side close; the exchange is over when the sandbox closes too. 0: destroyed at once.
   */
  readonly lingerMs: number;
}

/**
 * How it failed. `refused`: no connection, so the request provably never reached the sandbox. `unsent`: not one byte was
 * written, for another reason: a pooled connection had been closed, or this process ran out of descriptors. `lost`: the
 * sandbox may have seen the request. `timeout`: no response head in time. `protocol`: it answered something that is not
 * HTTP.
 */
export type UpstreamFailure = 'refused' | 'unsent' | 'lost' | 'timeout' | 'protocol';

export interface UpstreamHandlers {
  /** Headers without framing other than content-length. */
  onResponse(status: number, headers: HeaderList, body: ByteSource): void;
  /** Before any response head; a failure after it goes to the body's sink. */
  onFailure(failure: UpstreamFailure, error: Error): void;
  /**
   * The exchange is over on the wire, whoever ended it: the slot may be given away. Once, and last. `finished` false: the
   * sandbox may still be at it.
   */
  onDone(finished: boolean): void;
}

export interface Exchange {
  /** The caller left: abort. Neither onResponse nor onFailure is called after it; onDone is. */
  cancel(): void;
}

export interface Upstream {
  /** Handlers are never called from within `send`. */
  send(request: UpstreamRequest, handlers: UpstreamHandlers): Exchange;
  /** The endpoint is gone: its idle connections are closed. */
  forget(address: SandboxAddress): void;
  close(): Promise<void>;
}
