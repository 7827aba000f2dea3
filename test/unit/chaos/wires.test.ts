/** Who dials whom, and through which proxies. */
import { describe, expect, it } from 'vitest';
import { hostsOf, laneName, lanesOf, seenBy, wiresOf, witnessedConf } from '../../../chaos/network/wires.ts';
import { makeTopology, topologyDefaults } from '../../../cluster/local/topology.ts';

const cluster = await makeTopology({
  ...topologyDefaults,
  nats: 3,
  replicas: 3,
  dataPlanes: 2,
  workers: 4,
  basePort: 21_000,
});
const wires = wiresOf(cluster).map((wire, i) => ({ ...wire, proxyPort: 30_000 + i }));

describe('a cluster on hosts of its own', () => {
  it('has a server beside each replica, and everybody else spread over them', () => {
    expect(Object.fromEntries(hostsOf(cluster))).toMatchObject({ r2: 'n2', dp2: 'n2', w4: 'n1' });
  });

  it('has a lane each way between all hosts, and between each process and its server', () => {
    const lanes = lanesOf(wires);
    expect(lanes.map(laneName).sort()).toEqual(
      [
        ...['n1→n2', 'n1→n3', 'n2→n1', 'n2→n3', 'n3→n1', 'n3→n2'],
        ...['r1→n1', 'r2→n2', 'r3→n3', 'dp1→n1', 'dp2→n2', 'w1→n1', 'w2→n2', 'w3→n3', 'w4→n1'],
        ...['n1→r1', 'n2→r2', 'n3→r3', 'n1→dp1', 'n2→dp2', 'n1→w1', 'n2→w2', 'n3→w3', 'n1→w4'],
      ].sort(),
    );
  });

  it('sends what goes one way over both directions of dialling', () => {
    const streams = lanesOf(wires).find((lane) => laneName(lane) === 'n1→n2')?.streams;
    expect(streams).toEqual([
      { proxy: 'route-n1-n2', direction: 'upstream' },
      { proxy: 'route-n2-n1', direction: 'downstream' },
      { proxy: 'grpc-r1-r2', direction: 'upstream' },
      { proxy: 'grpc-r2-r1', direction: 'downstream' },
    ]);
  });

  it('shows each process its own server alone, at its proxy, and itself where it listens', () => {
    const proxyOf = (name: string): number | undefined =>
      wires.find(({ kind, from, to }) => `${kind}-${from}-${to}` === name)?.proxyPort;
    const seen = seenBy('r1', cluster, wires);
    expect(seen.nats.map(({ id, port }) => [id, port])).toEqual([['n1', proxyOf('client-r1-n1')]]);
    expect(seen.replicas.map(({ grpc }) => grpc)).toEqual([
      cluster.replicas[0]?.grpc,
      proxyOf('grpc-r1-r2'),
      proxyOf('grpc-r1-r3'),
    ]);
    const server = seenBy('n1', cluster, wires);
    expect(server.nats.map(({ port, routePort }) => [port, routePort])).toEqual([
      [cluster.nats[0]?.port, cluster.nats[0]?.routePort],
      [cluster.nats[1]?.port, proxyOf('route-n1-n2')],
      [cluster.nats[2]?.port, proxyOf('route-n1-n3')],
    ]);
  });
});

describe("a server's file", () => {
  const conf = 'cluster {\n  no_advertise: true\n}\n\naccounts {\n  SYS {}\n}\n';

  it('gets an account for the witnesses, and routes that nobody finds by gossip', () => {
    expect(witnessedConf(conf, 'secret', true)).toBe(
      [
        'cluster {\n  no_advertise: true\n  pool_size: -1\n  advertise: "127.0.0.1:1"\n}\n\naccounts {',
        '  CHAOS { users: [ { user: "chaos", password: "secret" } ] }\n  SYS {}\n}\n',
      ].join('\n'),
    );
    expect(witnessedConf(conf, 'secret', false)).not.toContain('pool_size');
  });

  it('is refused when it is not of that kind', () => {
    expect(() => witnessedConf('accounts {}', 'secret', true)).toThrow('has one');
  });
});
