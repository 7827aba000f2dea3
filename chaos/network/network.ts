/** The wires of one cluster under test, each through toxiproxy, with witnesses at their ends. */
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LocalCluster } from '../../src/config/cluster.ts';
import { BatonError } from '../../src/lib/errors.ts';
import { membersOf, type Member } from '../../cluster/local/members.ts';
import { freePorts } from '../../cluster/local/ports.ts';
import { isAtLeast, type Progress, type Provisioned } from '../../cluster/provision/provision.ts';
import { Probes } from './probes.ts';
import { doorsOf, type Doors } from './doors.ts';
import { Toxiproxy } from './toxiproxy.ts';
import {
  hostsOf,
  laneName,
  lanesOf,
  proxyName,
  seenBy,
  wiresOf,
  witnessedConf,
  type Lane,
  type ProxiedWire,
} from './wires.ts';

/** `bus`: between hosts, and between each process and its NATS server. `sandboxes`: between data planes and sandboxes. */
export type Proxied = 'bus' | 'sandboxes';

/** Since this version servers have several connections for each route. */
const ROUTE_POOLS = [2, 10] as const;

export class Network {
  readonly toxiproxy: Toxiproxy;
  /** By NATS server. */
  readonly hosts: readonly string[];
  readonly lanes: readonly Lane[];
  readonly #doors: Doors | undefined;
  readonly #cluster: LocalCluster;
  readonly #wires: readonly ProxiedWire[];
  readonly #password: string = randomBytes(24).toString('hex');
  readonly #hasPools: boolean;
  readonly #hostOf: ReadonlyMap<string, string>;
  #probes: Probes | undefined;

  private constructor(
    cluster: LocalCluster,
    wires: readonly ProxiedWire[],
    doors: Doors | undefined,
    toxiproxy: Toxiproxy,
    natsVersion: string,
  ) {
    this.#cluster = cluster;
    this.#hasPools = isAtLeast(natsVersion, ROUTE_POOLS);
    this.#wires = wires;
    this.toxiproxy = toxiproxy;
    this.#doors = doors;
    this.hosts = cluster.nats.map(({ id }) => id);
    this.#hostOf = hostsOf(cluster);
    this.lanes = lanesOf(wires);
  }

  /** Proxies listen; nobody was told of them yet. */
  static async open(
    directory: string,
    cluster: LocalCluster,
    proxied: readonly Proxied[],
    nats: Provisioned,
    signal: AbortSignal,
    progress: Progress,
  ): Promise<Network> {
    const { host } = cluster;
    const bare = proxied.includes('bus') ? wiresOf(cluster) : [];
    const own = new Set(membersOf(directory, cluster).flatMap((member) => member.ports));
    const [apiPort = 0, ...ports] = await freePorts(host, bare.length + 1, own);
    const wires = bare.map((wire, i) => ({ ...wire, proxyPort: ports[i] ?? 0 }));
    const doors = proxied.includes('sandboxes') ? doorsOf(cluster) : undefined;
    const plan = wires.map((wire) => ({
      name: proxyName(wire),
      listen: `${host}:${wire.proxyPort}`,
      upstream: `${host}:${wire.port}`,
    }));
    const toxiproxy = await Toxiproxy.start(
      directory,
      apiPort,
      [...plan, ...(doors?.proxies ?? [])],
      signal,
      progress,
    );
    return new Network(cluster, wires, doors, toxiproxy, nats.version);
  }

  /** The cluster as this process is to see it. */
  seenBy(id: string): LocalCluster {
    return seenBy(id, this.#cluster, this.#wires);
  }

  /** What its own file does not say yet. @returns keys of a process' configuration */
  configure({ id, kind, directory }: Member): object {
    if (kind === 'nats' && this.#wires.length > 0) {
      const path = join(directory, 'nats.conf');
      writeFileSync(path, witnessedConf(readFileSync(path, 'utf8'), this.#password, this.#hasPools));
    }
    return kind === 'worker' ? (this.#doors?.configOf(id) ?? {}) : {};
  }

  /** Resolves when every wire has been seen to carry messages. The servers are up. */
  async connect(signal: AbortSignal): Promise<void> {
    const { host, nats } = this.#cluster;
    if (this.#wires.length === 0) return;
    const stations = [
      ...nats.map(({ id, port }) => ({ id, url: `${host}:${port}` })),
      ...this.#wires
        .filter(({ kind }) => kind === 'client')
        .map(({ from, proxyPort }) => ({ id: from, url: `${host}:${proxyPort}` })),
    ];
    this.#probes = await Probes.open(stations, this.lanes, this.#password, signal);
  }

  get probes(): Probes {
    if (this.#probes === undefined) throw new BatonError('internal', 'no witnesses yet');
    return this.#probes;
  }

  hostOf(id: string): string {
    return this.#hostOf.get(id) ?? '';
  }

  /** Processes of this host. */
  on(host: string): string[] {
    return [...this.#hostOf].filter(([, at]) => at === host).map(([id]) => id);
  }

  /** The proxy before a sandbox. */
  doorAt(address: string): string {
    if (this.#doors === undefined) throw new BatonError('internal', 'sandboxes have no proxies');
    return this.#doors.proxyAt(address);
  }

  /** From one host to another, or between a process and its server. */
  lane(from: string, to: string): Lane {
    const found = this.lanes.find((lane) => lane.from === from && lane.to === to);
    if (found === undefined) throw new BatonError('internal', `no lane ${laneName({ from, to })}`);
    return found;
  }

  async close(): Promise<void> {
    await this.#probes?.close();
  }
}
