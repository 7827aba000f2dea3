/** What the kinds of configuration file have in common: ids, addresses, credentials, paths. */
import { isIP } from 'node:net';
import { isAbsolute, resolve } from 'node:path';
import * as z from 'zod';
import {
  clusterId,
  dataPlaneId,
  isLabel,
  isLabelKey,
  isLabelValue,
  LABEL_KEY_HINT,
  LABEL_VALUE_HINT,
  replicaId,
  workerId,
} from '../lib/ids.ts';
import { limits } from '../lib/limits.ts';
import type { ClusterId, DataPlaneId, ReplicaId, WorkerId } from '../lib/ids.ts';
import type { ParseContext } from './parse.ts';

/** An address to listen on. Port 0 asks the system for a free one. */
export interface Listen {
  readonly host: string;
  readonly port: number;
}

/** How a process reaches the bus. */
export interface NatsClient {
  /** `nats://host:port`; the first is preferred. Servers that others announce are never followed. */
  readonly servers: readonly string[];
  /** By convention the role and the id: `replica-r1`, `data-plane-dp1`, `worker-w1`; permissions hang on it. */
  readonly user: string;
  readonly password: string;
}

export interface LogSettings {
  readonly level: LogLevel;
}

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const LABEL_HINT = 'use 1 to 63 of a-z, 0-9 and "-", beginning and ending with a letter or digit';

function label<T>(brand: (text: string) => T): z.ZodType<T> {
  return z
    .string()
    .refine(isLabel, { message: 'not a valid name', params: { hint: LABEL_HINT } })
    .transform(brand);
}

export const clusterField: z.ZodType<ClusterId> = label((text) => clusterId(text));
export const replicaField: z.ZodType<ReplicaId> = label((text) => replicaId(text));
export const dataPlaneField: z.ZodType<DataPlaneId> = label((text) => dataPlaneId(text));
export const workerField: z.ZodType<WorkerId> = label((text) => workerId(text));
export const labelField: z.ZodType<string> = label((text) => text);

export interface LabelSetting {
  readonly name: string;
  readonly value: string;
}

/** `{ disk: ssd }`, sorted by name. */
export const labelsField: z.ZodType<readonly LabelSetting[]> = z
  .record(
    z.string().refine(isLabelKey, { message: 'not the name of a label', params: { hint: LABEL_KEY_HINT } }),
    z
      .string()
      .refine(isLabelValue, { message: 'not the value of a label', params: { hint: LABEL_VALUE_HINT } }),
  )
  .transform((labels) =>
    Object.entries(labels)
      .map(([name, value]) => ({ name, value }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
  )
  .refine((labels) => labels.length <= limits.labels, {
    message: `more than ${limits.labels} labels`,
    params: { hint: 'give fewer' },
  });

const HOST = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;

function isHost(text: string): boolean {
  return isIP(text) !== 0 || HOST.test(text);
}

export const portField: z.ZodType<number> = z.int().min(0).max(65_535);

export const listenField: z.ZodType<Listen> = z.strictObject({
  host: z.string().refine(isHost, { message: 'not a host name or IP address' }),
  port: portField,
});

/** Splits `host:port` or `[v6]:port`; undefined when it is neither. */
export function splitHostPort(text: string): Listen | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || !isHost(host) || port < 1 || port > 65_535) return undefined;
  return { host, port };
}

export const addressField: z.ZodType<string> = z
  .string()
  .refine((text) => splitHostPort(text) !== undefined, {
    message: 'not an address',
    params: { hint: 'write HOST:PORT, for example 127.0.0.1:7100 or [::1]:7100' },
  });

function isBaseUrl(text: string, protocols: readonly string[]): boolean {
  try {
    const url = new URL(text);
    return (
      protocols.includes(url.protocol) && url.hostname !== '' && url.username === '' && url.search === ''
    );
  } catch {
    return false;
  }
}

const natsUrlField = z.string().refine((text) => isBaseUrl(text, ['nats:', 'tls:']), {
  message: 'not the URL of a NATS server',
  params: { hint: 'write nats://HOST:PORT; user and password have keys of their own' },
});

/** Sent in headers and written into the configuration of NATS: printable, no blank, no quote, and long enough to resist guessing. */
export const secretField: z.ZodType<string> = z
  .string()
  .refine((text) => /^[A-Za-z0-9._~+/=-]{16,256}$/.test(text), {
    message: 'not a usable secret',
    params: { hint: 'use 16 to 256 of A-Z, a-z, 0-9 and . _ ~ + / = -' },
  });

export const natsShape: {
  readonly servers: z.ZodType<readonly string[]>;
  readonly user: z.ZodType<string>;
  readonly password: z.ZodType<string>;
} = {
  servers: z.array(natsUrlField).min(1).max(16),
  user: z.string().min(1).max(128),
  password: secretField,
};

export const natsField: z.ZodType<NatsClient> = z.strictObject(natsShape);

export const systemUserField: z.ZodType<{ readonly user: string; readonly password: string }> =
  z.strictObject({
    user: natsShape.user,
    password: secretField,
  });

export const logField: z.ZodType<LogSettings> = z
  .strictObject({ level: z.enum(LOG_LEVELS).default('info') })
  .prefault({});

/** Refuses what another field decides: reported at `path` with a hint. */
export function complain(
  context: z.core.$RefinementCtx,
  path: (string | number)[],
  message: string,
  hint: string,
): void {
  context.addIssue({ code: 'custom', path, message, params: { hint }, input: undefined });
}

export function pathField(context: ParseContext): z.ZodType<string> {
  return z
    .string()
    .min(1)
    .transform((path) => (isAbsolute(path) ? path : resolve(context.baseDir, path)));
}

/** Absent and `null` (YAML's empty value) alike mean: not set. */
export function orUndefined<T>(schema: z.ZodType<T>): z.ZodType<T | undefined> {
  return schema.nullish().transform((value) => value ?? undefined);
}

export function milliseconds(fallback: number, min: number, max: number): z.ZodDefault<z.ZodInt> {
  return z.int().min(min).max(max).default(fallback);
}

/** Only this host can reach it. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
