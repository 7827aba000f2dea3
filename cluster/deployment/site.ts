/** Where the processes of a deployment are and how they reach each other: what deploy/compose.yaml and deploy/kubernetes lay out. */

export interface Place {
  readonly id: string;
  /** How others reach it. */
  readonly host: string;
}

/** A replica and the NATS server beside it. */
export interface ReplicaPlace extends Place {
  readonly nats: Place & {
    /** How its own replica reaches it. */
    readonly near: string;
  };
}

export interface Site {
  /** Names the cluster on the bus and on disk; never changes. */
  readonly cluster: string;
  readonly replicas: readonly ReplicaPlace[];
  readonly dataPlanes: readonly Place[];
  readonly workers: readonly Place[];
}

/** Each process has an address of its own, so all of a kind listen on the same port. */
export const PORTS = { nats: 4222, route: 6222, grpc: 7100, http: 7200, caller: 8080, peer: 8081 } as const;
export const SANDBOX_PORTS = { from: 20_000, to: 29_999 } as const;
export const STATE_DIR = '/var/lib/baton';

export interface SiteSize {
  readonly dataPlanes: number;
  readonly workers: number;
}

const REPLICAS = 3;
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Service names of deploy/compose.yaml. */
export function composeSite(cluster: string, size: SiteSize): Site {
  const places = (prefix: string, count: number): Place[] =>
    range(count).map((i) => ({ id: `${prefix}${i + 1}`, host: `${prefix}${i + 1}` }));
  const servers = places('n', REPLICAS);
  return {
    cluster,
    replicas: places('r', REPLICAS).map((place, i) => {
      const server = servers[i] ?? place;
      return { ...place, nats: { ...server, near: server.host } };
    }),
    dataPlanes: places('dp', size.dataPlanes),
    workers: places('w', size.workers),
  };
}

/** Pods of the stateful sets in deploy/kubernetes: ids are the pods' names, hosts their names in the headless services. */
export function kubernetesSite(cluster: string, size: SiteSize): Site {
  const pods = (set: string, count: number): Place[] =>
    range(count).map((i) => ({ id: `${set}-${i}`, host: `${set}-${i}.${set}` }));
  return {
    cluster,
    replicas: pods('control-plane', REPLICAS).map((place) => ({
      ...place,
      nats: { ...place, near: '127.0.0.1' },
    })),
    dataPlanes: pods('data-plane', size.dataPlanes),
    workers: pods('worker', size.workers),
  };
}
