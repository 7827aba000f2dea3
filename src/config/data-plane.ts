/**
 * The file of one data plane (`baton data-plane --config FILE`).
 *
 *   D1  the peer listener serves other data planes only, by token, whatever address it has;
 *   D2  both listeners have an address of their own.
 */
import * as z from 'zod';
import type { ClusterId, DataPlaneId } from '../lib/ids.ts';
import {
  clusterField,
  complain,
  dataPlaneField,
  listenField,
  logField,
  milliseconds,
  natsField,
  orUndefined,
  pathField,
  secretField,
  type Listen,
  type LogSettings,
  type NatsClient,
} from './common.ts';
import { load, type ParseContext } from './parse.ts';

export interface DataPlaneFile {
  readonly cluster: ClusterId;
  readonly dataPlane: DataPlaneId;
  /** Holds the table file; relative to this file. */
  readonly stateDir: string;
  readonly nats: NatsClient;
  /** For callers of functions. */
  readonly caller: Listen;
  /** For other data planes. */
  readonly peer: Listen;
  /** How others reach this host; left out: the listening hosts. */
  readonly advertiseHost: string | undefined;
  /** `Host: <name>.<domain>` names a function. */
  readonly domain: string;
  readonly tokens: {
    /** Shared by the data planes: authenticates the one hop to the owner of a hard-limited function. */
    readonly dataPlane: string;
  };
  /** How long a request may wait to hear whether its function exists. */
  readonly lookupTimeoutMs: number;
  /** How long a graceful stop lets running requests finish. */
  readonly drainGraceMs: number;
  /** How long a connection to a sandbox is kept that nobody uses. */
  readonly sandboxIdleMs: number;
  readonly log: LogSettings;
}

const DOMAIN = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;

function fields(context: ParseContext): z.ZodType<DataPlaneFile> {
  return z
    .strictObject({
      cluster: clusterField,
      dataPlane: dataPlaneField,
      stateDir: pathField(context),
      nats: natsField,
      caller: listenField,
      peer: listenField,
      advertiseHost: orUndefined(z.string().min(1).max(253)),
      domain: z.string().max(200).regex(DOMAIN, 'not a domain name').default('baton.localhost'),
      tokens: z.strictObject({ dataPlane: secretField }),
      lookupTimeoutMs: milliseconds(10_000, 100, 600_000),
      drainGraceMs: milliseconds(10_000, 0, 600_000),
      sandboxIdleMs: milliseconds(30_000, 100, 600_000),
      log: logField,
    })
    .superRefine((file, refinement) => {
      const { caller, peer } = file;
      if (caller.port !== 0 && caller.port === peer.port && caller.host === peer.host)
        complain(
          refinement,
          ['peer', 'port'],
          'is the port of caller too',
          'give each listener its own port',
        );
    });
}

/** @throws BatonError `invalid-argument` with the path of the key */
export function loadDataPlaneFile(file: string): DataPlaneFile {
  return load(fields, file);
}
