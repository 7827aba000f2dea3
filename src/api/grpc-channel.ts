/** Calls to one replica over gRPC: the client's and the replicas' own, with the whole error brought back. */
import {
  credentials,
  Metadata,
  type CallOptions,
  type ClientReadableStream,
  type ClientUnaryCall,
  type ServiceError,
} from '@grpc/grpc-js';
import { BatonError } from '../lib/errors.ts';
import {
  BatonClient,
  type Artifact,
  type GetLogsReply,
  type GetLogsRequest,
} from '../wire/gen/baton/api/v1/api.ts';
import { fromGrpc } from './errors.ts';
import type { ApiMethods } from './service.ts';

/** Set by a replica that passes a call on: it must not be passed on again. */
export const FORWARDED = 'x-baton-forwarded';
const UPLOAD_PIECE = 262_144;

type Unary = (
  request: unknown,
  metadata: Metadata,
  options: CallOptions,
  callback: (error: ServiceError | null, reply: unknown) => void,
) => ClientUnaryCall;

export class GrpcChannel {
  readonly address: string;
  readonly #client: BatonClient;
  readonly #metadata: Metadata;

  constructor(address: string, token: string | undefined, forwarded: boolean) {
    this.address = address;
    this.#client = new BatonClient(address, credentials.createInsecure(), {
      // A replica that was down and is back should be found at once.
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 500,
      'grpc.enable_http_proxy': 0,
      'grpc.max_receive_message_length': 64 * 1_048_576,
    });
    this.#metadata = new Metadata();
    if (token !== undefined) this.#metadata.set('authorization', `Bearer ${token}`);
    if (forwarded) this.#metadata.set(FORWARDED, '1');
  }

  /** Rejects with the BatonError that the replica threw, or `disconnected` or `timeout`. */
  call<M extends keyof ApiMethods>(
    method: M,
    request: Parameters<ApiMethods[M]>[0],
    timeoutMs: number,
  ): Promise<Awaited<ReturnType<ApiMethods[M]>>> {
    const unary = (this.#client[method] as unknown as Unary).bind(this.#client);
    return new Promise((resolve, reject) => {
      unary(request, this.#metadata, { deadline: Date.now() + timeoutMs }, (error, reply) => {
        if (error === null) resolve(reply as Awaited<ReturnType<ApiMethods[M]>>);
        else reject(fromGrpc(error));
      });
    });
  }

  upload(bytes: Uint8Array, expectedDigest: string, timeoutMs: number): Promise<Artifact> {
    return new Promise((resolve, reject) => {
      const call = this.#client.uploadArtifact(
        this.#metadata,
        { deadline: Date.now() + timeoutMs },
        (error, reply) => {
          if (error === null) resolve(reply);
          else reject(fromGrpc(error));
        },
      );
      call.on('error', () => undefined);
      let at = 0;
      const send = (): void => {
        for (;;) {
          const data = bytes.subarray(at, at + UPLOAD_PIECE);
          const first = at === 0;
          at += data.length;
          const isLast = at >= bytes.length;
          const more = call.write({ expectedDigest: first ? expectedDigest : '', data });
          if (isLast) {
            call.end();
            return;
          }
          if (!more) {
            call.once('drain', send);
            return;
          }
        }
      };
      send();
    });
  }

  async *followLogs(request: GetLogsRequest, signal: AbortSignal): AsyncGenerator<GetLogsReply> {
    const stream: ClientReadableStream<GetLogsReply> = this.#client.followLogs(request, this.#metadata);
    const stop = (): void => stream.cancel();
    signal.addEventListener('abort', stop, { once: true });
    try {
      for await (const page of stream) yield page as GetLogsReply;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Error && 'code' in error && 'metadata' in error)
        throw fromGrpc(error as ServiceError);
      throw new BatonError('disconnected', 'the replica cannot be reached', { cause: error });
    } finally {
      signal.removeEventListener('abort', stop);
      stream.cancel();
    }
  }

  close(): void {
    this.#client.close();
  }
}
