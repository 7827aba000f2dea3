/**
 * The head of an HTTP/1 response, read strictly (docs: "HTTP hardening"): lines end in CRLF, no folding, no space before
 * the colon, no control characters, one way to frame the body or none. A sandbox is hostile; whatever could be read
 * in two ways is an error.
 */
import type { HeaderList } from '../../ports/http-front.ts';

export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  /** Until the sandbox closes. */
  | { readonly kind: 'close' };

export interface ResponseHead {
  readonly status: number;
  /** Without transfer-encoding. */
  readonly headers: HeaderList;
  readonly framing: Framing;
  readonly keepAlive: boolean;
  /** From `Keep-Alive: timeout=N`, when the sandbox says how long it keeps an idle connection. */
  readonly idleMs: number | undefined;
}

export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const LENGTH = /^[0-9]{1,15}$/;
const IDLE = /(?:^|,)\s*timeout=([0-9]{1,6})\s*(?:,|$)/i;

/** @param text the head without its final CRLF CRLF, bytes as latin1 */
export function parseResponseHead(text: string, method: string, maxHeaders: number): ResponseHead {
  const lines = text.split('\r\n');
  const match = STATUS_LINE.exec(lines[0] ?? '');
  if (match === null) throw new ProtocolError('malformed status line');
  if (lines.length - 1 > maxHeaders) throw new ProtocolError('too many headers');
  const http10 = match[1] === '0';
  const status = Number(match[2]);
  const headers: (readonly [string, string])[] = [];
  let length: string | undefined;
  let encoding: string | undefined;
  let connection = '';
  let idleMs: number | undefined;
  for (let at = 1; at < lines.length; at++) {
    const [name, value] = parseHeaderLine(lines[at] ?? '');
    switch (name) {
      case 'transfer-encoding':
        if (encoding !== undefined) throw new ProtocolError('repeated transfer-encoding');
        encoding = value.toLowerCase();
        continue;
      case 'content-length':
        if (length !== undefined) throw new ProtocolError('repeated content-length');
        length = value;
        break;
      case 'connection':
        connection += `,${value.toLowerCase()}`;
        break;
      case 'keep-alive': {
        const seconds = IDLE.exec(value)?.[1];
        if (seconds !== undefined) idleMs = Number(seconds) * 1_000;
        break;
      }
    }
    headers.push([name, value]);
  }
  const framing = frame(status, method, http10, length, encoding);
  const tokens = new Set(connection.split(',').map((token) => token.trim()));
  const keepAlive = framing.kind !== 'close' && !tokens.has('close') && (!http10 || tokens.has('keep-alive'));
  return { status, headers, framing, keepAlive, idleMs };
}

export function parseHeaderLine(line: string): readonly [name: string, value: string] {
  const colon = line.indexOf(':');
  const name = line.slice(0, Math.max(0, colon));
  if (!NAME.test(name)) throw new ProtocolError('malformed header name');
  const value = line.slice(colon + 1).trim();
  if (!VALUE.test(value)) throw new ProtocolError(`control character in header ${name.toLowerCase()}`);
  return [name.toLowerCase(), value];
}

function frame(
  status: number,
  method: string,
  http10: boolean,
  length: string | undefined,
  encoding: string | undefined,
): Framing {
  if (length !== undefined && !LENGTH.test(length)) throw new ProtocolError('malformed content-length');
  if (encoding !== undefined) {
    if (http10 || encoding !== 'chunked') throw new ProtocolError('unsupported transfer-encoding');
    if (length !== undefined) throw new ProtocolError('content-length beside transfer-encoding');
  }
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return { kind: 'none' };
  if (encoding !== undefined) return { kind: 'chunked' };
  if (length !== undefined)
    return length === '0' ? { kind: 'none' } : { kind: 'length', bytes: Number(length) };
  return { kind: 'close' };
}
