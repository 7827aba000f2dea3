/** The service layer over gRPC, with health (grpc.health.v1) and reflection, on every replica. */
import {
  logVerbosity,
  type Metadata,
  Server,
  setLogVerbosity,
  ServerCredentials,
  type sendUnaryData,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { BatonError, explain } from '../lib/errors.ts';
import { digest } from '../lib/ids.ts';
import type { Logger } from '../ports/system.ts';
import {
  BatonService,
  type Artifact,
  type ArtifactChunk,
  type GetLogsReply,
  type GetLogsRequest,
} from '../wire/gen/baton/api/v1/api.ts';
import { demandApi, sameSecret, type AccessTokens } from './access.ts';
import type { ControlPlaneBackend } from './backend.ts';
import { toGrpc } from './errors.ts';
import { FORWARDED } from './grpc-channel.ts';
import type { ApiMethods, ApiService } from './service.ts';

const SERVICE = 'baton.api.v1.Baton';
const SCHEMA = 'proto/baton/api/v1/api.proto';
const FOLLOW_EVERY_MS = 250;
const CLOSE_GRACE_MS = 2_000;

// What goes wrong is thrown, and printed once, by us.
setLogVerbosity(logVerbosity.NONE);

export interface GrpcServerOptions {
  readonly host: string;
  readonly port: number;
  readonly tokens: AccessTokens;
  readonly logger: Logger;
}

export class GrpcServer {
  readonly #service: ApiService;
  readonly #backend: ControlPlaneBackend;
  readonly #options: GrpcServerOptions;
  readonly #server: Server = new Server({
    'grpc.max_receive_message_length': 4 * 1_048_576,
    'grpc.max_concurrent_streams': 1_024,
  });
  readonly #health: HealthImplementation = new HealthImplementation({ '': 'SERVING', [SERVICE]: 'SERVING' });

  constructor(service: ApiService, backend: ControlPlaneBackend, options: GrpcServerOptions) {
    this.#service = service;
    this.#backend = backend;
    this.#options = options;
  }

  /** Resolves with the port. @throws BatonError `io` when it is taken */
  async listen(): Promise<number> {
    const handlers: Record<string, unknown> = {
      followLogs: (call: ServerWritableStream<GetLogsRequest, GetLogsReply>) => void this.#followLogs(call),
      uploadArtifact: (
        call: ServerReadableStream<ArtifactChunk, Artifact>,
        callback: sendUnaryData<Artifact>,
      ) => void this.#upload(call, callback),
    };
    for (const method of Object.keys(this.#service.methods) as (keyof ApiMethods)[])
      handlers[method] = (call: ServerUnaryCall<never, unknown>, callback: sendUnaryData<unknown>) =>
        void this.#unary(method, call, callback);
    this.#server.addService(BatonService, handlers as never);
    this.#health.addToServer(this.#server);
    const root = packageRoot();
    const schema = loadSync(join(root, SCHEMA), { includeDirs: [join(root, 'proto')] });
    new ReflectionService(schema).addToServer(this.#server);
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
      this.#server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) => {
        if (error === null) resolve(bound);
        else
          reject(
            new BatonError('io', `cannot listen on ${address} for gRPC`, {
              fields: { path: 'grpc.port' },
              hint: 'is the port taken? set another grpc.port',
              cause: error,
            }),
          );
      });
    });
  }

  #authorize(metadata: Metadata): { readonly forwarded: boolean } {
    const authorization = metadata.get('authorization')[0];
    const text = typeof authorization === 'string' ? authorization : undefined;
    demandApi(text, this.#options.tokens);
    const forwarded =
      metadata.get(FORWARDED).length > 0 &&
      sameSecret((text ?? '').replace(/^bearer /i, ''), this.#options.tokens.replica);
    return { forwarded };
  }

  async #unary(
    method: keyof ApiMethods,
    call: ServerUnaryCall<never, unknown>,
    callback: sendUnaryData<unknown>,
  ): Promise<void> {
    try {
      const { forwarded } = this.#authorize(call.metadata);
      callback(null, await this.#service.call(method, call.request, forwarded));
    } catch (error) {
      this.#logBug(method, error);
      callback(toGrpc(error));
    }
  }

  /** Asks again and again with the cursors of the last answer, until the caller has had enough. */
  async #followLogs(call: ServerWritableStream<GetLogsRequest, GetLogsReply>): Promise<void> {
    const { signal, stop } = untilCanceled(call);
    try {
      this.#authorize(call.metadata);
      let { cursors } = call.request;
      while (!signal.aborted) {
        const page = await this.#service.call('getLogs', { ...call.request, cursors }, false);
        if (page.rows.length > 0 || page.dropped > 0) {
          if (!call.write(page)) await drained(call, signal);
        }
        ({ cursors } = page);
        if (page.rows.length === 0)
          await delay(FOLLOW_EVERY_MS, undefined, { signal }).catch(() => undefined);
      }
      call.end();
    } catch (error) {
      this.#logBug('followLogs', error);
      call.emit('error', toGrpc(error));
    } finally {
      stop();
    }
  }

  async #upload(
    call: ServerReadableStream<ArtifactChunk, Artifact>,
    callback: sendUnaryData<Artifact>,
  ): Promise<void> {
    try {
      this.#authorize(call.metadata);
      const pieces = (call as AsyncIterable<ArtifactChunk>)[Symbol.asyncIterator]();
      const first = await pieces.next();
      const expected = first.done === true ? '' : first.value.expectedDigest;
      async function* content(): AsyncGenerator<Uint8Array> {
        if (first.done !== true) yield first.value.data;
        for (;;) {
          const piece = await pieces.next();
          if (piece.done === true) return;
          yield piece.value.data;
        }
      }
      const stored = await this.#backend.uploadArtifact(
        content(),
        expected === '' ? undefined : digest(expected, 'expectedDigest'),
      );
      callback(null, { digest: stored.digest, bytes: stored.bytes });
    } catch (error) {
      this.#logBug('uploadArtifact', error);
      callback(toGrpc(error));
    }
  }

  #logBug(method: string, error: unknown): void {
    if (error instanceof BatonError && error.code !== 'internal') return;
    this.#options.logger.error({ method, err: error, error: explain(error) }, 'a call failed unexpectedly');
  }

  async close(): Promise<void> {
    this.#health.setStatus('', 'NOT_SERVING');
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.#server.forceShutdown();
        resolve();
      }, CLOSE_GRACE_MS);
      this.#server.tryShutdown(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

function untilCanceled(call: ServerWritableStream<unknown, unknown>): {
  signal: AbortSignal;
  stop: () => void;
} {
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  call.on('cancelled', stop);
  call.on('close', stop);
  return { signal: controller.signal, stop };
}

function drained(call: ServerWritableStream<unknown, unknown>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    call.once('drain', resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Where `proto/` lies: the sources and what is built from them have different depths. */
function packageRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, SCHEMA))) {
    const parent = dirname(directory);
    if (parent === directory) throw new BatonError('io', `${SCHEMA} is missing from the installation`);
    directory = parent;
  }
  return directory;
}
