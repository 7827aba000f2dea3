/** `cluster.json`: what `baton up` decided about a local cluster, once. Holds its secrets: readable by its owner only. */
import { join } from 'node:path';
import * as z from 'zod';
import type { ClusterId, DataPlaneId, ReplicaId, WorkerId } from '../lib/ids.ts';
import {
  clusterField,
  dataPlaneField,
  labelField,
  orUndefined,
  portField,
  replicaField,
  secretField,
  workerField,
} from './common.ts';
import { load } from './parse.ts';
import { fleetField } from './worker.ts';

export const CLUSTER_FILE = 'cluster.json';

export interface LocalCluster {
  readonly version: 1;
  readonly cluster: ClusterId;
  readonly host: string;
  readonly nats: readonly { readonly id: string; readonly port: number; readonly routePort: number }[];
  readonly replicas: readonly { readonly id: ReplicaId; readonly grpc: number; readonly http: number }[];
  readonly dataPlanes: readonly {
    readonly id: DataPlaneId;
    readonly caller: number;
    readonly peer: number;
  }[];
  readonly workers: readonly {
    readonly id: WorkerId;
    readonly ports: { readonly from: number; readonly to: number };
    /** Simulated: one process that is as many workers. */
    readonly fleet: number | undefined;
  }[];
  readonly runtime: 'process' | 'simulated';
  readonly startMs: number;
  readonly tokens: {
    readonly api: string | undefined;
    readonly replica: string;
    readonly worker: string;
    readonly dataPlane: string;
  };
  /** By NATS user; `system` and `route` beside the processes'. */
  readonly passwords: Readonly<Record<string, string>>;
}

const schema: z.ZodType<LocalCluster> = z.strictObject({
  version: z.literal(1),
  cluster: clusterField,
  host: z.string().min(1),
  nats: z.array(z.strictObject({ id: labelField, port: portField, routePort: portField })).min(1),
  replicas: z.array(z.strictObject({ id: replicaField, grpc: portField, http: portField })).min(1),
  dataPlanes: z.array(z.strictObject({ id: dataPlaneField, caller: portField, peer: portField })),
  workers: z.array(
    z.strictObject({
      id: workerField,
      ports: z.strictObject({ from: portField, to: portField }),
      fleet: orUndefined(fleetField),
    }),
  ),
  runtime: z.enum(['process', 'simulated']),
  startMs: z.int().min(0),
  tokens: z.strictObject({
    api: orUndefined(secretField),
    replica: secretField,
    worker: secretField,
    dataPlane: secretField,
  }),
  passwords: z.record(z.string(), secretField),
});

/** @throws BatonError `invalid-argument` when it is missing or damaged */
export function loadLocalCluster(directory: string): LocalCluster {
  return load(() => schema, join(directory, CLUSTER_FILE));
}
