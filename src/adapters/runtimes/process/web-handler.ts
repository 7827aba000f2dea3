/** node:http on one side, the web-standard handler `(Request) → Response` on the other; bodies stream both ways. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';

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
    init.body = Readable.toWeb(incoming) as unknown as ReadableStream<Uint8Array>;
    init.duplex = 'half';
  }
  const host = incoming.headers.host ?? 'localhost';
  return new Request(new URL(incoming.url ?? '/', `http://${host}`), init);
}

/** Plain values are taken for what they look like. */
function toResponse(value: unknown): Response {
  if (value instanceof Response) return value;
  if (value === undefined || value === null) return new Response(null, { status: 204 });
  if (typeof value === 'string') return new Response(value);
  if (value instanceof Uint8Array)
    return new Response(value as unknown as ConstructorParameters<typeof Response>[0]);
  return Response.json(value);
}

export async function sendResponse(value: unknown, response: ServerResponse): Promise<void> {
  const answer = toResponse(value);
  response.statusCode = answer.status;
  for (const [name, text] of answer.headers) if (name !== 'set-cookie') response.setHeader(name, text);
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
  let piece = await reader.read();
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

/** After the promises that are settled already. */
async function soon(): Promise<undefined> {
  for (let i = 0; i < 8; i++) await undefined;
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
