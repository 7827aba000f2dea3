/** The client that speaks to sandboxes and to peers; connections are never shared between sandboxes. */
import type { SandboxAddress } from '../core/model/sandbox.ts';
import type { ByteSource } from './byte-stream.ts';
import type { HeaderList } from './http-front.ts';

export interface UpstreamRequest {
  readonly address: SandboxAddress;
  readonly method: string;
  readonly target: string;
  readonly headers: HeaderList;
  readonly body: ByteSource | undefined;
  readonly contentLength: number | undefined;
  /** From the request head written to the response head; 0 is no limit. */
  readonly headTimeoutMs: number;
}

/**
 * How it failed. `refused`: no connection, so the request provably never reached the sandbox. `unsent`: a pooled
 * connection was closed before one byte was written. `lost`: the sandbox may have seen the request. `timeout`: no
 * response head in time. `protocol`: it answered something that is not HTTP.
 */
export type UpstreamFailure = 'refused' | 'unsent' | 'lost' | 'timeout' | 'protocol';

export interface UpstreamHandlers {
  onResponse(status: number, headers: HeaderList, body: ByteSource): void;
  /** Before any response head; a failure after it goes to the body's sink. */
  onFailure(failure: UpstreamFailure, error: Error): void;
  /** The exchange is over on the wire, whoever ended it: the slot may be given away. */
  onDone(): void;
}

export interface Exchange {
  /** The caller left: abort. */
  cancel(): void;
}

export interface Upstream {
  send(request: UpstreamRequest, handlers: UpstreamHandlers): Exchange;
  /** The endpoint is gone: its idle connections are closed. */
  forget(address: SandboxAddress): void;
  close(): Promise<void>;
}
