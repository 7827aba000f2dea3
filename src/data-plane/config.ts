/** What a data plane is made of: its settings and its ports. */
import type { Registry } from 'prom-client';
import type { ClusterId, DataPlaneId } from '../lib/ids.ts';
import type { Bus } from '../ports/bus.ts';
import type { HttpFront } from '../ports/http-front.ts';
import type { Clock, Logger, Random } from '../ports/system.ts';
import type { TableFile } from '../ports/table-file.ts';
import type { Upstream } from '../ports/upstream.ts';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export interface DataPlaneConfig {
  readonly cluster: ClusterId;
  readonly id: DataPlaneId;
  readonly caller: ListenAddress;
  readonly peer: ListenAddress;
  /** How others reach this host; undefined: the listening hosts. */
  readonly advertiseHost: string | undefined;
  /** `Host: <name>.<domain>` names a function. */
  readonly domain: string;
  /** Shared by the data planes of the cluster: authenticates the one hop to an owner. */
  readonly peerToken: string;
  readonly reportIntervalMs: number;
  /** How long a request may wait for a leader to say whether its function exists. */
  readonly lookupTimeoutMs: number;
  /** After a restart: how long requests wait for a leader to confirm what the table file says. */
  readonly askFirstMs: number;
  /** One request to the leader. */
  readonly leaderTimeoutMs: number;
  readonly demandFirstResendMs: number;
  readonly demandMaxResendMs: number;
  /** Changes of the tables are written to the file this long after the first of them. */
  readonly saveDelayMs: number;
  readonly drainGraceMs: number;
}

export const DATA_PLANE_DEFAULTS: Omit<DataPlaneConfig, 'cluster' | 'id' | 'caller' | 'peer' | 'peerToken'> =
  {
    advertiseHost: undefined,
    domain: 'baton.localhost',
    reportIntervalMs: 250,
    lookupTimeoutMs: 10_000,
    askFirstMs: 500,
    leaderTimeoutMs: 1_000,
    demandFirstResendMs: 20,
    demandMaxResendMs: 640,
    saveDelayMs: 250,
    drainGraceMs: 10_000,
  };

export interface DataPlanePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly bus: Bus;
  /** For callers. */
  readonly front: HttpFront;
  /** For other data planes. */
  readonly peerFront: HttpFront;
  readonly upstream: Upstream;
  readonly tableFile: TableFile;
  readonly logger: Logger;
  /** Created when not given. */
  readonly registry?: Registry;
}

/**
 * Bounds of one report, so that it always fits a message. Endpoints with requests in flight come first among those that
 * are being withdrawn: what a report leaves out counts as zero.
 */
export const reportBounds: {
  readonly loads: number;
  readonly withdrawing: number;
  readonly refused: number;
  readonly condemned: number;
  readonly owned: number;
} = { loads: 12_000, withdrawing: 3_000, refused: 500, condemned: 200, owned: 4_000 };
