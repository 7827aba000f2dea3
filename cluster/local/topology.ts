/** What a new local cluster consists of: decided once, kept in cluster.json. */
import { randomBytes, randomInt } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CLUSTER_FILE, type LocalCluster } from '../../src/config/cluster.ts';
import { BatonError } from '../../src/lib/errors.ts';
import { clusterId, dataPlaneId, replicaId, workerId } from '../../src/lib/ids.ts';
import { freePorts } from './ports.ts';

export interface TopologyOptions {
  readonly replicas: number;
  readonly dataPlanes: number;
  readonly workers: number;
  /** Simulated workers in each worker process; undefined: a process is one worker. */
  readonly fleet: number | undefined;
  readonly nats: number;
  readonly runtime: 'process' | 'simulated';
  readonly startMs: number;
  /** Ports from here on, one after the other; undefined: any free ones. */
  readonly basePort: number | undefined;
}

export const topologyDefaults: TopologyOptions = {
  replicas: 3,
  dataPlanes: 2,
  workers: 2,
  fleet: undefined,
  nats: 1,
  runtime: 'process',
  startMs: 10,
  basePort: undefined,
};

const HOST = '127.0.0.1';
const PROGRAM_PORTS = { from: 20_000, to: 29_999 };

/** @throws BatonError `invalid-argument` that names the flag */
export function checkTopology(options: TopologyOptions): void {
  const demand = (isRight: boolean, flag: string, allowed: string): void => {
    if (isRight) return;
    throw new BatonError('invalid-argument', `--${flag}: not possible`, {
      fields: { path: `--${flag}` },
      hint: `give ${allowed}`,
    });
  };
  demand([1, 3, 5].includes(options.replicas), 'replicas', '1, 3 or 5');
  demand([1, 3, 5].includes(options.nats), 'nats', '1, 3 or 5');
  demand(within(options.dataPlanes, 1, 16), 'data-planes', '1 to 16');
  demand(within(options.workers, 0, 64), 'workers', '0 to 64');
  demand(within(options.startMs, 0, 600_000), 'start-ms', '0 to 600000');
  const { basePort } = options;
  demand(basePort === undefined || within(basePort, 1_024, 65_000), 'base-port', '1024 to 65000');
}

function within(value: number, low: number, high: number): boolean {
  return Number.isInteger(value) && value >= low && value <= high;
}

const ids = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i + 1}`);
const secret = (): string => randomBytes(24).toString('hex');

export async function makeTopology(options: TopologyOptions): Promise<LocalCluster> {
  checkTopology(options);
  const { nats, replicas, dataPlanes, workers, fleet, runtime, startMs } = options;
  const count = 2 * (nats + replicas + dataPlanes);
  const ports =
    options.basePort === undefined ? await freePorts(HOST, count) : consecutive(options.basePort, count);
  const port = (): number => ports.shift() ?? 0;
  const share = Math.floor((PROGRAM_PORTS.to - PROGRAM_PORTS.from + 1) / Math.max(1, workers));
  const users = [
    'system',
    'route',
    ...ids('replica-r', replicas),
    ...ids('data-plane-dp', dataPlanes),
    ...ids('worker-w', workers),
  ];
  return {
    version: 1,
    cluster: clusterId(`local-${randomInt(36 ** 5, 36 ** 6).toString(36)}`),
    host: HOST,
    nats: ids('n', nats).map((id) => ({ id, port: port(), routePort: port() })),
    replicas: ids('r', replicas).map((id) => ({ id: replicaId(id), grpc: port(), http: port() })),
    dataPlanes: ids('dp', dataPlanes).map((id) => ({ id: dataPlaneId(id), caller: port(), peer: port() })),
    workers: ids('w', workers).map((id, i) => ({
      id: workerId(id),
      ports: { from: PROGRAM_PORTS.from + i * share, to: PROGRAM_PORTS.from + (i + 1) * share - 1 },
      fleet,
    })),
    runtime,
    startMs,
    tokens: { api: undefined, replica: secret(), worker: secret(), dataPlane: secret() },
    passwords: Object.fromEntries(users.map((user) => [user, secret()])),
  };
}

/** Whether they are free is seen when the processes start, and said by name. */
function consecutive(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => from + i);
}

export function hasCluster(directory: string): boolean {
  return existsSync(join(directory, CLUSTER_FILE));
}

/** Complete or not at all; it holds secrets. */
export function writeTopology(directory: string, cluster: LocalCluster): void {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, CLUSTER_FILE);
  writeFileSync(`${path}.tmp`, `${JSON.stringify(cluster, null, 2)}\n`, { mode: 0o600 });
  chmodSync(`${path}.tmp`, 0o600);
  renameSync(`${path}.tmp`, path);
}
