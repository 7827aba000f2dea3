/** What a request's head must be before the role sees it (FAULTS, "HTTP hardening"). */
import type { IncomingMessage } from 'node:http';
import { limits } from '../../lib/limits.ts';
import type { HeaderList } from '../../ports/http-front.ts';

export interface InboundHead {
  readonly method: string;
  readonly target: string;
  readonly host: string;
  readonly headers: HeaderList;
  readonly hasBody: boolean;
  readonly contentLength: number | undefined;
}

export interface Refusal {
  readonly status: number;
  readonly reason: string;
  readonly message: string;
}

const HOST = /^(?:[a-z0-9_.~-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?$/;
const LENGTH = /^[0-9]{1,15}$/;

export function parseInbound(message: IncomingMessage): InboundHead | { readonly refusal: Refusal } {
  const raw = message.rawHeaders;
  if (raw.length / 2 > limits.requestHeaderCount) return refuse(431, 'headers-too-large', 'too many headers');
  const headers: (readonly [string, string])[] = [];
  let authority: string | undefined;
  let length: string | undefined;
  let encoding: string | undefined;
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase();
    const value = raw[at + 1] ?? '';
    if (name === 'host') {
      if (authority !== undefined) return refuse(400, 'bad-request', 'two Host headers');
      authority = value.toLowerCase();
    } else if (name === 'content-length') {
      if (length !== undefined) return refuse(400, 'bad-request', 'repeated Content-Length');
      length = value;
    } else if (name === 'transfer-encoding') {
      if (encoding !== undefined) return refuse(400, 'bad-request', 'repeated Transfer-Encoding');
      encoding = value.toLowerCase();
    }
    headers.push([name, value]);
  }
  if (encoding !== undefined && encoding !== 'chunked') {
    return refuse(400, 'bad-request', 'Transfer-Encoding must be chunked');
  }
  if (encoding !== undefined && (message.httpVersion !== '1.1' || length !== undefined)) {
    return refuse(400, 'bad-request', 'ambiguous framing');
  }
  if (length !== undefined && !LENGTH.test(length))
    return refuse(400, 'bad-request', 'malformed Content-Length');
  if (authority === undefined && message.httpVersion !== '1.0')
    return refuse(400, 'bad-request', 'Host is missing');
  if (authority !== undefined && authority !== '' && !HOST.test(authority)) {
    return refuse(400, 'bad-request', 'malformed Host');
  }
  const target = originForm(message.url ?? '', message.method ?? '', authority ?? '');
  if (target === undefined) return refuse(400, 'bad-request', 'malformed request target');
  const contentLength = length === undefined ? undefined : Number(length);
  return {
    method: message.method ?? 'GET',
    target,
    host: (authority ?? '').replace(/:[0-9]*$/, ''),
    headers,
    hasBody: encoding !== undefined || (contentLength ?? 0) > 0,
    contentLength,
  };
}

function refuse(status: number, reason: string, message: string): { readonly refusal: Refusal } {
  return { refusal: { status, reason, message } };
}

/** Absolute form is accepted where it says what Host says; `*` belongs to OPTIONS. */
function originForm(url: string, method: string, authority: string): string | undefined {
  if (url.startsWith('/')) return url;
  if (url === '*') return method === 'OPTIONS' ? url : undefined;
  const match = /^http:\/\/([^/?#]+)([/?].*)?$/i.exec(url);
  if (match === null || match[1]?.toLowerCase() !== authority) return undefined;
  const rest = match[2] ?? '/';
  return rest.startsWith('/') ? rest : `/${rest}`;
}
