/**
 * Who dials whom in a cluster whose processes stand on hosts of their own: one NATS server for each replica, the others spread
 * over them, as the local cluster does it. Each wire goes through a proxy of its own, and each process is shown the cluster as
 * it reaches it: nothing but its own file says that there is a proxy.
 *
 *   W1  a process knows its own NATS server only, so that a cut does not lead to another one;
 *   W2  wires between two hosts are the routes of their servers and the gRPC of their replicas, each dialled from both sides.
 *       Their HTTP is not: a replica fetches artifacts from the addresses of its member list alone, so these are the same for all.
 */
import type { LocalCluster } from '../../src/config/cluster.ts';
import { assert } from '../../src/lib/assert.ts';
import type { Stream } from './toxiproxy.ts';

export interface Wire {
  readonly kind: 'route' | 'grpc' | 'client';
  /** Ids of processes: who dials, and whom. */
  readonly from: string;
  readonly to: string;
  /** Hosts are called by their NATS server. */
  readonly fromHost: string;
  readonly toHost: string;
  /** Where the one who is dialled listens. */
  readonly port: number;
}

/** With the port at which the dialling side finds it. */
export interface ProxiedWire extends Wire {
  readonly proxyPort: number;
}

export const proxyName = ({ kind, from, to }: Wire): string => `${kind}-${from}-${to}`;

/** Everything that goes from one place to another, whoever dialled. Places are hosts, or processes beside their server. */
export interface Lane {
  readonly from: string;
  readonly to: string;
  readonly streams: readonly Stream[];
}

export const laneName = ({ from, to }: Pick<Lane, 'from' | 'to'>): string => `${from}→${to}`;

/** Of each process its NATS server, by the local cluster's rule. */
export function hostsOf(cluster: LocalCluster): Map<string, string> {
  const { nats, replicas, dataPlanes, workers } = cluster;
  const hosts = new Map(nats.map(({ id }) => [id, id]));
  for (const group of [replicas, dataPlanes, workers])
    group.forEach(({ id }, i) => hosts.set(id, nats[i % nats.length]?.id ?? ''));
  return hosts;
}

export function wiresOf(cluster: LocalCluster): Wire[] {
  const { nats, replicas, dataPlanes, workers } = cluster;
  const hosts = hostsOf(cluster);
  const wire = (kind: Wire['kind'], from: string, to: string, port: number): Wire => {
    return { kind, from, to, fromHost: hosts.get(from) ?? '', toHost: hosts.get(to) ?? '', port };
  };
  const routes = nats.flatMap(({ id: from }) =>
    nats.flatMap(({ id, routePort }) => (id === from ? [] : [wire('route', from, id, routePort)])),
  );
  const api = replicas.flatMap(({ id: from }) =>
    replicas.flatMap(({ id, grpc }) => (id === from ? [] : [wire('grpc', from, id, grpc)])),
  );
  const ports = new Map(nats.map(({ id, port }) => [id, port]));
  const clients = [...replicas, ...dataPlanes, ...workers].map(({ id }) => {
    const server = hosts.get(id) ?? '';
    return wire('client', id, server, ports.get(server) ?? 0);
  });
  return [...routes, ...api, ...clients];
}

/** The cluster as one of its processes reaches it. */
export function seenBy(id: string, cluster: LocalCluster, wires: readonly ProxiedWire[]): LocalCluster {
  const own = new Map(
    wires.filter(({ from }) => from === id).map((wire) => [`${wire.kind} ${wire.to}`, wire]),
  );
  const port = (kind: Wire['kind'], to: string, direct: number): number =>
    own.get(`${kind} ${to}`)?.proxyPort ?? direct;
  const client = wires.find(({ kind, from }) => kind === 'client' && from === id);
  return {
    ...cluster,
    nats: cluster.nats
      .filter((server) => client === undefined || server.id === client.to)
      .map((server) => ({
        ...server,
        port: port('client', server.id, server.port),
        routePort: port('route', server.id, server.routePort),
      })),
    replicas: cluster.replicas.map((replica) => ({
      ...replica,
      grpc: port('grpc', replica.id, replica.grpc),
    })),
  };
}

/** From every host to every other, and between every process and its server. */
export function lanesOf(wires: readonly Wire[]): Lane[] {
  const lanes = new Map<string, { from: string; to: string; streams: Stream[] }>();
  const add = (from: string, to: string, stream: Stream): void => {
    const name = laneName({ from, to });
    const lane = lanes.get(name) ?? { from, to, streams: [] };
    lane.streams.push(stream);
    lanes.set(name, lane);
  };
  for (const wire of wires) {
    const [from, to] = wire.kind === 'client' ? [wire.from, wire.to] : [wire.fromHost, wire.toHost];
    assert(from !== to, 'a wire leads elsewhere');
    add(from, to, { proxy: proxyName(wire), direction: 'upstream' });
    add(to, from, { proxy: proxyName(wire), direction: 'downstream' });
  }
  return [...lanes.values()];
}

/** The account of the witnesses, whose messages take the routes that all others take. */
export const WITNESS = 'chaos';

/** Where nobody listens. */
const NOWHERE = '127.0.0.1:1';

/**
 * A server's file as the suite needs it:
 *
 *   - an account for the witnesses;
 *   - one connection for each route: servers of 2.10 and later spread accounts over several, and what the witnesses see would say
 *     nothing about the others;
 *   - an address that leads nowhere for others to gossip: they would go around the proxies (`no_advertise` is about clients).
 */
export function witnessedConf(conf: string, password: string, hasPools: boolean): string {
  const once = (text: string, mark: string, more: string): string => {
    assert(text.split(mark).length === 2, `nats.conf has one "${mark}"`);
    return text.replace(mark, `${mark}\n${more}`);
  };
  const witnesses = `  CHAOS { users: [ { user: "${WITNESS}", password: "${password}" } ] }`;
  const routes = `${hasPools ? '  pool_size: -1\n' : ''}  advertise: "${NOWHERE}"`;
  return once(once(conf, '\naccounts {', witnesses), 'no_advertise: true', routes);
}
