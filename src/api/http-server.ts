/** The service layer over HTTP/1.1 and JSON; health, metrics and artifacts beside it. */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { BatonError, explain } from '../lib/errors.ts';
import { digest } from '../lib/ids.ts';
import type { Logger } from '../ports/system.ts';
import { demandApi, demandLoopbackHost, demandOneOf, type AccessTokens } from './access.ts';
import type { ControlPlaneBackend } from './backend.ts';
import { errorBody, httpStatusOf } from './errors.ts';
import { METRICS_CONTENT_TYPE, renderMetrics } from './metrics.ts';
import { laterFeature, matchPath, matchRoute, type Route } from './http-routes.ts';
import { openApiDocument } from './openapi.ts';
import { withoutUnknown } from './plain.ts';
import type { ApiService } from './service.ts';

const MAX_JSON_BYTES = 1_048_576;
const CLOSE_GRACE_MS = 2_000;

export interface HttpServerOptions {
  readonly host: string;
  readonly port: number;
  readonly tokens: AccessTokens;
  readonly version: string;
  readonly logger: Logger;
}

interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  readonly query: URLSearchParams;
}

export class HttpServer {
  readonly #service: ApiService;
  readonly #backend: ControlPlaneBackend;
  readonly #options: HttpServerOptions;
  readonly #server: Server;

  constructor(service: ApiService, backend: ControlPlaneBackend, options: HttpServerOptions) {
    this.#service = service;
    this.#backend = backend;
    this.#options = options;
    this.#server = createServer({ maxHeaderSize: 32_768, requestTimeout: 120_000 }, (request, response) => {
      void this.#handle(request, response);
    });
  }

  /** Resolves with the port. @throws BatonError `io` when it is taken */
  listen(): Promise<number> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once('error', (cause) => {
        reject(
          new BatonError('io', `cannot listen on ${host}:${port} for HTTP`, {
            fields: { path: 'http.port' },
            hint: 'is the port taken? set another http.port',
            cause,
          }),
        );
      });
      this.#server.listen(port, host, () => {
        const address = this.#server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.#server.closeAllConnections(), CLOSE_GRACE_MS);
      this.#server.close(() => {
        clearTimeout(timer);
        resolve();
      });
      this.#server.closeIdleConnections();
    });
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const url = new URL(request.url ?? '/', 'http://local');
      await this.#dispatch({ request, response, path: url.pathname, query: url.searchParams });
    } catch (error) {
      if (!(error instanceof BatonError) || error.code === 'internal')
        this.#options.logger.error({ url: request.url, err: error }, 'a call failed unexpectedly');
      if (response.headersSent) response.destroy();
      else sendError(response, error);
    }
  }

  async #dispatch(call: Call): Promise<void> {
    const { request, response, path } = call;
    const { tokens } = this.#options;
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (isRead && path === '/healthz') return sendText(response, 200, 'ok\n');
    if (isRead && path === '/readyz') return this.#ready(response);
    if (path.startsWith('/internal/')) return this.#internal(call);
    demandLoopbackHost(request.headers.host, tokens);
    demandApi(request.headers.authorization, tokens);
    if (isRead && path === '/metrics')
      return sendText(response, 200, renderMetrics(this.#backend.metrics()), METRICS_CONTENT_TYPE);
    if (isRead && path === '/openapi.json')
      return sendJson(response, 200, openApiDocument(this.#options.version, tokens.api !== undefined));
    if (path === '/v1/artifacts') return this.#upload(call);
    const later = laterFeature(path);
    if (later !== undefined)
      throw new BatonError('unsupported', `${later}: not there yet`, { hint: '/openapi.json lists what is' });
    const match = matchRoute(request.method ?? '', path);
    switch (match.kind) {
      case 'route':
        return this.#call(call, match.route, match.params);
      case 'wrong-method':
        return wrongMethod(call, match.allowed);
      case 'none':
        throw new BatonError('not-found', `no such path: ${path.slice(0, 200)}`, {
          hint: '/openapi.json lists what there is',
        });
      default:
        return match satisfies never;
    }
  }

  async #call(call: Call, route: Route, params: Readonly<Record<string, string>>): Promise<void> {
    const body = route.method === 'GET' ? undefined : await readJson(call.request, route.body !== 'none');
    const input = {
      params,
      query: call.query,
      body,
      freshRequestId: () => `${this.#backend.raft().commit}-${randomBytes(9).toString('base64url')}`,
    };
    const reply = await this.#service.call(route.calls, route.request(input) as never, false);
    sendJson(call.response, 200, route.reply === undefined ? reply : route.reply(reply as never));
  }

  #ready(response: ServerResponse): void {
    const ready = this.#backend.isReady();
    const leads = this.#backend.leader();
    sendJson(response, ready ? 200 : 503, { ready, leader: leads.kind !== 'none' });
  }

  async #upload(call: Call): Promise<void> {
    const { request, response } = call;
    if (request.method !== 'POST') return wrongMethod(call, ['POST']);
    if (!(request.headers['content-type'] ?? '').startsWith('application/octet-stream')) {
      throw new BatonError(
        'invalid-argument',
        'content-type: send the artifact as application/octet-stream',
        {
          fields: { path: 'content-type' },
          hint: 'curl --data-binary @artifact.tgz -H "content-type: application/octet-stream"',
        },
      );
    }
    const expected = call.query.get('digest');
    const stored = await this.#backend.uploadArtifact(
      request,
      expected === null ? undefined : digest(expected, 'digest'),
    );
    sendJson(response, 200, { digest: stored.digest, bytes: stored.bytes });
  }

  /** Between replicas, and for workers that fetch: by token, never by the API's. */
  async #internal(call: Call): Promise<void> {
    const { request, response, path } = call;
    const { tokens } = this.#options;
    const { authorization } = request.headers;
    const action = matchPath('/internal/artifacts/{digest}/{action}', path);
    if (action !== undefined && request.method === 'POST') {
      demandOneOf(authorization, [tokens.replica]);
      const wanted = digest(action['digest'] ?? '');
      const { source } = (await readJson(request, true)) as { source?: unknown };
      const isMember = this.#backend.members.some(({ http }) => http === source);
      if (typeof source !== 'string' || !isMember)
        throw new BatonError('invalid-argument', 'source: not a replica of this cluster', {
          fields: { path: 'source' },
        });
      if (action['action'] === 'hold') await this.#backend.holdArtifact(wanted, source);
      else if (action['action'] === 'replicate') await this.#backend.replicateArtifact(wanted, source);
      else throw new BatonError('not-found', 'no such action');
      return sendJson(response, 200, {});
    }
    const one = matchPath('/internal/artifacts/{digest}', path);
    if (one === undefined || request.method !== 'GET') throw new BatonError('not-found', 'no such path');
    demandOneOf(authorization, [tokens.replica, tokens.worker]);
    const wanted = digest(one['digest'] ?? '');
    if (!this.#backend.hasArtifact(wanted))
      throw new BatonError('not-found', 'this replica does not hold it');
    response.setHeader('content-type', 'application/octet-stream');
    await pipeline(Readable.from(this.#backend.readArtifact(wanted)), response);
  }
}

function wrongMethod({ request, response }: Call, allowed: readonly string[]): void {
  response.setHeader('allow', allowed.join(', '));
  sendJson(response, 405, {
    component: 'control-plane',
    reason: 'wrong-method',
    message: `${request.method ?? ''} is not possible here`,
    hint: `use ${allowed.join(' or ')}`,
  });
}

async function readJson(request: IncomingMessage, required: boolean): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_JSON_BYTES)
      throw new BatonError('too-large', 'body: over 1 MiB', {
        fields: { path: 'body' },
        hint: 'files belong into the artifact',
      });
    chunks.push(chunk);
  }
  if (bytes === 0 && !required) return undefined;
  // Only this type makes a browser ask first whether a foreign page may send it.
  if (!(request.headers['content-type'] ?? '').startsWith('application/json')) {
    throw new BatonError('invalid-argument', 'content-type: send application/json', {
      fields: { path: 'content-type' },
      hint: 'curl -H "content-type: application/json"',
    });
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
  } catch (cause) {
    throw new BatonError('invalid-argument', 'body: not JSON', {
      fields: { path: 'body' },
      hint: explain(cause),
    });
  }
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.statusCode = status;
  response.setHeader('content-type', 'application/json');
  response.end(`${JSON.stringify(value, withoutUnknown)}\n`);
}

function sendText(response: ServerResponse, status: number, text: string, type = 'text/plain'): void {
  response.statusCode = status;
  response.setHeader('content-type', type);
  response.end(text);
}

function sendError(response: ServerResponse, error: unknown): void {
  const { code, message, hint, fields } = errorBody(error);
  if (httpStatusOf(code) === 503) response.setHeader('retry-after', '1');
  if (code === 'unauthorized') response.setHeader('www-authenticate', 'Bearer');
  response.setHeader('x-baton-error', code);
  sendJson(response, httpStatusOf(code), { component: 'control-plane', reason: code, message, hint, fields });
}
