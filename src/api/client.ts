/**
 * The API's client: knows several replicas, goes on with the next when one does not answer, and retries a mutation under the
 * same request id, so that it takes effect once.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { BatonError, isBatonError } from '../lib/errors.ts';
import type * as api from '../wire/gen/baton/api/v1/api.ts';
import { documentToWire } from './document.ts';
import { GrpcChannel } from './grpc-channel.ts';
import type { ApiMethods } from './service.ts';
import { parseFunctionDocument, toFunctionDocument } from './spec.ts';

export { documentFromWire } from './document.ts';
export { withoutUnknown } from './plain.ts';
export { EVENT_KINDS } from '../core/leader/event-kinds.ts';
export type {
  ClusterStatus,
  DataPlane,
  Drain,
  Event,
  FunctionMessage,
  ListEventsReply,
  PutFunctionReply,
  Reconstruction,
  Replica,
  ScaleReport,
  Worker,
} from '../wire/gen/baton/api/v1/api.ts';

export interface ClientOptions {
  /** host:port of the replicas' gRPC listeners, the preferred one first. */
  readonly servers: readonly string[];
  readonly token: string | undefined;
  /** Of one call with all its retries. */
  readonly timeoutMs: number;
}

export interface PutOptions {
  readonly ifGeneration: number | undefined;
  readonly trial: boolean;
}

const RETRY_MS = 50;
/** A commit index is a good base of request ids until 100,000 mutations later. */
const BASE_FRESH_MS = 1_000;

export class ApiClient {
  readonly #channels: readonly GrpcChannel[];
  readonly #timeoutMs: number;
  #preferred = 0;
  #base: { readonly index: Promise<number>; readonly askedMs: number } | undefined;

  constructor(options: ClientOptions) {
    if (options.servers.length === 0)
      throw new BatonError('invalid-argument', 'no replica to call', { fields: { path: 'servers' } });
    this.#channels = options.servers.map((address) => new GrpcChannel(address, options.token, false));
    this.#timeoutMs = options.timeoutMs;
  }

  /** @throws BatonError as the replica threw it; `unavailable` when none can be reached */
  async call<M extends keyof ApiMethods>(
    method: M,
    request: Parameters<ApiMethods[M]>[0],
    timeoutMs: number = this.#timeoutMs,
  ): Promise<Awaited<ReturnType<ApiMethods[M]>>> {
    return this.#withRetries(timeoutMs, (channel, leftMs) => channel.call(method, request, leftMs));
  }

  async upload(bytes: Uint8Array, digest: string): Promise<api.Artifact> {
    return this.#withRetries(this.#timeoutMs, (channel, leftMs) => channel.upload(bytes, digest, leftMs));
  }

  /** @throws BatonError `invalid-argument` before anything is sent when the document is wrong */
  async putFunction(document: unknown, options: PutOptions): Promise<api.PutFunctionReply> {
    const spec = parseFunctionDocument(document);
    const request = {
      function: documentToWire(toFunctionDocument(spec)),
      requestId: await this.newRequestId(),
      ifGeneration: options.ifGeneration,
      trial: options.trial,
    };
    return this.#untilKnown((leftMs) => this.call('putFunction', request, leftMs));
  }

  async deleteFunction(name: string, ifGeneration?: number): Promise<api.DeleteFunctionReply> {
    const request = { name, requestId: await this.newRequestId(), ifGeneration };
    return this.#untilKnown((leftMs) => this.call('deleteFunction', request, leftMs));
  }

  /** When leadership changes meanwhile, nobody knows what became of a mutation: asked again under its id, it takes effect once. */
  async #untilKnown<T>(mutate: (leftMs: number) => Promise<T>): Promise<T> {
    const deadline = performance.now() + this.#timeoutMs;
    for (;;) {
      try {
        return await mutate(Math.max(1, deadline - performance.now()));
      } catch (error) {
        const isLate = performance.now() + RETRY_MS >= deadline;
        if (isLate || !isBatonError(error, 'outcome-unknown')) throw error;
        await delay(RETRY_MS);
      }
    }
  }

  async newRequestId(): Promise<string> {
    const base = await this.#freshBase();
    return `${base}-${randomBytes(9).toString('base64url')}`;
  }

  /** Asked for once a second, however many mutations begin meanwhile. */
  #freshBase(): Promise<number> {
    const nowMs = performance.now();
    if (this.#base !== undefined && nowMs - this.#base.askedMs < BASE_FRESH_MS) return this.#base.index;
    const index = this.call('getReplica', {}).then(({ commitIndex }) => commitIndex);
    const asked = { index, askedMs: nowMs };
    this.#base = asked;
    index.catch(() => {
      if (this.#base === asked) this.#base = undefined;
    });
    return index;
  }

  followLogs(request: api.GetLogsRequest, signal: AbortSignal): AsyncGenerator<api.GetLogsReply> {
    return this.#channel().followLogs(request, signal);
  }

  close(): void {
    for (const channel of this.#channels) channel.close();
  }

  #channel(): GrpcChannel {
    const channel = this.#channels[this.#preferred % this.#channels.length];
    if (channel === undefined) throw new BatonError('internal', 'no channel');
    return channel;
  }

  async #withRetries<T>(
    timeoutMs: number,
    attempt: (channel: GrpcChannel, leftMs: number) => Promise<T>,
  ): Promise<T> {
    const deadline = performance.now() + timeoutMs;
    let unreachable = 0;
    let early: BatonError | undefined;
    for (;;) {
      const channel = this.#channel();
      try {
        return await attempt(channel, Math.max(1, deadline - performance.now()));
      } catch (error) {
        const isLate = performance.now() + RETRY_MS >= deadline;
        if (isBatonError(error, 'not-synced')) {
          // A leader that is too young to tell: the same one knows soon.
          early = error;
          if (isLate) throw error;
        } else {
          // The time ran out while it was asked once more: what it said before is the better answer.
          if (early !== undefined && isBatonError(error, 'timeout')) throw early;
          if (!isBatonError(error, 'disconnected') && !isBatonError(error, 'not-leader')) throw error;
          this.#preferred++;
          if (isBatonError(error, 'disconnected')) unreachable++;
          // Nobody has ever answered: waiting out the timeout would only hide that there is no cluster.
          const allDown = unreachable >= 2 * this.#channels.length && isBatonError(error, 'disconnected');
          if (allDown || isLate) throw this.#unavailable(error);
        }
        await delay(RETRY_MS);
      }
    }
  }

  #unavailable(cause: unknown): BatonError {
    const addresses = this.#channels.map(({ address }) => address);
    return new BatonError('unavailable', `no replica answers at ${addresses.join(', ')}`, {
      fields: { missing: addresses },
      hint: 'is the cluster running? baton up starts a local one; baton start starts single processes',
      cause,
    });
  }
}
