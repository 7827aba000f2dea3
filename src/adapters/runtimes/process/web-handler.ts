/** node:http on one side, the web-standard handler `(Request) → Response` on the other; bodies stream both ways. */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Read ahead of the handler, at most about this much. */
const BODY_BUFFER_BYTES = 65_536;

/** A function's own failure, told from its ordinary 500s; `x-baton-` is the platform's. */
export const FUNCTION_ERROR = 'x-function-error';

export interface HandlerContext {
  /** Work that goes on after the response; a graceful end waits for it. */
  waitUntil(work: Promise<unknown>): void;
  readonly callId: string;
  readonly function: string;
  readonly sandbox: string;
  readonly generation: number;
}

export type Handler = (
  request: Request,
  env: Readonly<Record<string, string>>,
  context: HandlerContext,
) => unknown;

/** `export default { fetch }` or `export default function`; undefined when the module has neither. */
export function findHandler(module: Readonly<Record<string, unknown>>): Handler | undefined {
  const { default: main } = module;
  if (typeof main === 'function') return main as Handler;
  if (typeof main !== 'object' || main === null) return undefined;
  const { fetch } = main as { fetch?: unknown };
  return typeof fetch === 'function' ? (fetch as Handler).bind(main) : undefined;
}

export function toRequest(incoming: IncomingMessage, response: ServerResponse): Request {
  const headers = new Headers();
  const { rawHeaders } = incoming;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2)
    headers.append(rawHeaders[i] ?? '', rawHeaders[i + 1] ?? '');
  const method = incoming.method ?? 'GET';
  const hasBody =
    method !== 'GET' &&
    method !== 'HEAD' &&
    (incoming.headers['transfer-encoding'] !== undefined ||
      Number(incoming.headers['content-length'] ?? 0) > 0);
  const aborter = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) aborter.abort(new Error('the caller left'));
  });
  const init: RequestInit & { duplex?: 'half' } = { method, headers, signal: aborter.signal };
  if (hasBody) {
    init.body = bodyOf(incoming, response);
    init.duplex = 'half';
  }
  return new Request(urlOf(incoming), init);
}

/** The path is appended to the host, never resolved against it: `//x/y` is a path, not another host. */
function urlOf(incoming: IncomingMessage): string {
  const target = incoming.url ?? '/';
  const path = target.startsWith('/') ? target : '/';
  const url = `http://${incoming.headers.host ?? 'localhost'}${path}`;
  return URL.canParse(url) ? url : `http://localhost${path}`;
}

/**
 * With backpressure. What the handler leaves unread is thrown away once it has answered: the connection must reach its next
 * request.
 */
function bodyOf(incoming: IncomingMessage, response: ServerResponse): ReadableStream<Uint8Array> {
  const discard = (): void => {
    incoming.removeAllListeners('data');
    incoming.resume();
  };
  response.once('finish', discard);
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        let isOpen = true;
        const finish = (end: () => void): void => {
          if (isOpen) end();
          isOpen = false;
        };
        incoming.on('data', (chunk: Buffer) => {
          if (!isOpen) return;
          controller.enqueue(chunk);
          if ((controller.desiredSize ?? 0) <= 0) incoming.pause();
        });
        incoming.once('end', () => finish(() => controller.close()));
        incoming.once('error', (error) => finish(() => controller.error(error)));
        incoming.once('close', () => finish(() => controller.error(new Error('the caller left'))));
        response.once('finish', () =>
          finish(() => controller.error(new Error('the response was sent already'))),
        );
      },
      pull: () => void incoming.resume(),
      cancel: discard,
    },
    { highWaterMark: BODY_BUFFER_BYTES, size: (chunk) => chunk.byteLength },
  );
}

/** Plain values are taken for what they look like. */
function toResponse(value: unknown): Response {
  if (value instanceof Response) return value;
  if (value === undefined || value === null) return new Response(null, { status: 204 });
  if (typeof value === 'string') return new Response(value);
  if (value instanceof Uint8Array) return new Response(value);
  return Response.json(value);
}

/** A connection's own business, which a function that passes on another server's response must not meddle with. */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'set-cookie']);

export async function sendResponse(value: unknown, response: ServerResponse): Promise<void> {
  const answer = toResponse(value);
  response.statusCode = answer.status;
  for (const [name, text] of answer.headers) if (!HOP_BY_HOP.has(name)) response.setHeader(name, text);
  const cookies = answer.headers.getSetCookie();
  if (cookies.length > 0) response.setHeader('set-cookie', cookies);
  const { body } = answer;
  if (body === null || response.req.method === 'HEAD') {
    await body?.cancel();
    response.end();
    return;
  }
  const reader = body.getReader();
  response.once('close', () => {
    if (!response.writableFinished) void reader.cancel().catch(() => undefined);
  });
  const first = reader.read();
  // The head of a stream that has nothing to say yet goes out by itself: timeouts run until the head.
  if ((await Promise.race([first, soon()])) === undefined) {
    const isThere = await Promise.race([
      first.then(() => true),
      new Promise<false>((no) => setImmediate(no, false)),
    ]);
    if (!isThere) response.flushHeaders();
  }
  let piece = await first;
  let next = piece.done ? undefined : reader.read();
  // One piece is the common case: it goes out with its length, in one write.
  if (next === undefined || (await Promise.race([next, soon()]))?.done === true) {
    response.end(piece.value);
    return;
  }
  while (!piece.done && !response.destroyed) {
    await write(response, piece.value);
    piece = await (next ?? reader.read());
    next = undefined;
  }
  response.end();
}

/** The handler threw; the sandbox lives on. A response that has begun can only be cut off. */
export function sendFailure(error: unknown, response: ServerResponse): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  for (const name of response.getHeaderNames()) response.removeHeader(name);
  response.statusCode = 500;
  const name = error instanceof Error ? error.name : typeof error;
  response.setHeader(FUNCTION_ERROR, /^[\w.-]{1,64}$/.test(name) ? name : 'Error');
  response.setHeader('content-type', 'text/plain');
  response.end('Internal Server Error\n');
}

/** After the promises that are settled already. */
async function soon(): Promise<undefined> {
  for (let i = 0; i < 8; i++) await Promise.resolve();
  return undefined;
}

function write(response: ServerResponse, bytes: Uint8Array): Promise<void> | undefined {
  if (response.write(bytes) || response.destroyed) return undefined;
  return new Promise((resolve) => {
    const go = (): void => {
      response.off('drain', go);
      response.off('close', go);
      resolve();
    };
    response.on('drain', go);
    response.on('close', go);
  });
}
