/**
 * Who may call. Tokens are compared in constant time; what listens beyond loopback must have one (config C3), and what has
 * none answers only to loopback names, so that a page in a browser cannot reach it by rebinding a name of its own.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { BatonError } from '../lib/errors.ts';

export interface AccessTokens {
  /** Undefined: callers need none. */
  readonly api: string | undefined;
  readonly replica: string;
  readonly worker: string;
}

export function sameSecret(given: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

function bearer(authorization: string | undefined): string {
  const match = /^bearer (.+)$/i.exec(authorization ?? '');
  return match?.[1] ?? '';
}

function unauthorized(): BatonError {
  return new BatonError('unauthorized', 'the token is missing or wrong', {
    hint: 'pass --token or set BATON_TOKEN; over HTTP: Authorization: Bearer TOKEN',
  });
}

/** For the API: its own token, or another replica's. @throws BatonError `unauthorized` */
export function demandApi(authorization: string | undefined, tokens: AccessTokens): void {
  if (tokens.api === undefined) return;
  const given = bearer(authorization);
  if (!sameSecret(given, tokens.api) && !sameSecret(given, tokens.replica)) throw unauthorized();
}

/** For internal routes. @throws BatonError `unauthorized` */
export function demandOneOf(authorization: string | undefined, allowed: readonly string[]): void {
  const given = bearer(authorization);
  if (!allowed.some((token) => sameSecret(given, token))) throw unauthorized();
}

const LOOPBACK_HOST = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;

/** @throws BatonError `unauthorized` */
export function demandLoopbackHost(host: string | undefined, tokens: AccessTokens): void {
  if (tokens.api !== undefined || LOOPBACK_HOST.test(host ?? '')) return;
  throw new BatonError('unauthorized', 'without a token the API answers only to loopback names', {
    hint: 'call it by 127.0.0.1 or localhost, or set tokens.api in its configuration',
  });
}
