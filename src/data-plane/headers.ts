/**
 * Headers from one side to the other. Hop-by-hop headers, and those that Connection names, end here; forwarding headers
 * and everything under `x-baton-` are ours to write (FAULTS, "HTTP hardening").
 */
import type { HeaderList } from '../ports/http-front.ts';

const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
]);

const OVERWRITTEN: ReadonlySet<string> = new Set([
  'content-length', // the client frames the request itself
  'host',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
  'x-call-id',
]);

export const INTERNAL = 'x-baton-';

/** Names listed by Connection, lower case; undefined when there is nothing but the usual. */
function connectionNamed(headers: HeaderList): ReadonlySet<string> | undefined {
  let named: Set<string> | undefined;
  for (const [name, value] of headers) {
    if (name !== 'connection') continue;
    for (const token of value.split(',')) {
      const word = token.trim().toLowerCase();
      if (word === '' || word === 'close' || word === 'keep-alive') continue;
      named ??= new Set();
      named.add(word);
    }
  }
  return named;
}

export interface Forwarding {
  readonly host: string;
  readonly callId: string;
  readonly remoteAddress: string;
}

/** From a caller to a sandbox, or to the owner. */
export function requestHeaders(headers: HeaderList, forwarding: Forwarding): [string, string][] {
  const named = connectionNamed(headers);
  const out: [string, string][] = [['host', forwarding.host]];
  for (const [name, value] of headers) {
    if (HOP_BY_HOP.has(name) || OVERWRITTEN.has(name) || name.startsWith(INTERNAL)) continue;
    if (named?.has(name) === true) continue;
    out.push([name, value]);
  }
  out.push(
    ['x-forwarded-for', forwarding.remoteAddress],
    ['x-forwarded-host', forwarding.host],
    ['x-forwarded-proto', 'http'],
    ['x-call-id', forwarding.callId],
  );
  return out;
}

/** From the first data plane's request to the sandbox: what it wrote about the caller stands. */
export function requestHeadersFromPeer(headers: HeaderList): [string, string][] {
  const out: [string, string][] = [];
  for (const [name, value] of headers) {
    if (!HOP_BY_HOP.has(name) && name !== 'content-length' && !name.startsWith(INTERNAL))
      out.push([name, value]);
  }
  return out;
}

/** From a sandbox to the caller. From an owner, its own `x-baton-` headers pass. */
export function responseHeaders(headers: HeaderList, callId: string, fromPeer: boolean): [string, string][] {
  const named = connectionNamed(headers);
  const out: [string, string][] = [];
  for (const [name, value] of headers) {
    if (HOP_BY_HOP.has(name) || name === 'x-call-id' || named?.has(name) === true) continue;
    if (name.startsWith(INTERNAL) && !fromPeer) continue;
    out.push([name, value]);
  }
  out.push(['x-call-id', callId]);
  return out;
}

export function headerOf(headers: HeaderList, wanted: string): string | undefined {
  for (const [name, value] of headers) if (name === wanted) return value;
  return undefined;
}

const CALL_ID = /^[A-Za-z0-9._:-]{1,128}$/;

/** The caller's own, where it is fit to be written into logs and headers. */
export function callerCallId(headers: HeaderList): string | undefined {
  const given = headerOf(headers, 'x-call-id');
  return given !== undefined && CALL_ID.test(given) ? given : undefined;
}

export function prefersAsync(headers: HeaderList): boolean {
  return headers.some(
    ([name, value]) =>
      name === 'prefer' &&
      value.split(',').some((part) => part.split(';')[0]?.trim().toLowerCase() === 'respond-async'),
  );
}
