/**
 * The files that a deployment's processes read, secrets included: one nats.conf per server, one configuration per process.
 *
 *   F1  every secret is made once and stands in exactly the files of those who need it;
 *   F2  whatever a process names (a server, a member, a host) is a place of the same site.
 */
import { randomBytes } from 'node:crypto';
import { stringify } from 'yaml';
import { BatonError } from '../../src/lib/errors.ts';
import { renderNatsConf, type NatsUser } from '../nats/render.ts';
import { PORTS, SANDBOX_PORTS, STATE_DIR, type Place, type ReplicaPlace, type Site } from './site.ts';

/** What deploy/ grants a worker: two processors, of which sandboxes may ask four times as much, and 4 GiB. */
const WORKER_CAPACITY = { cpuMillis: 8_000, memoryMiB: 3_072, sandboxes: 256 };
const EVERYWHERE = '0.0.0.0';

export interface SiteFiles {
  /** By NATS server. */
  readonly nats: Readonly<Record<string, string>>;
  /** By process, as JSON. */
  readonly controlPlane: Readonly<Record<string, string>>;
  readonly dataPlane: Readonly<Record<string, string>>;
  readonly worker: Readonly<Record<string, string>>;
  /** What operators present (BATON_TOKEN). */
  readonly apiToken: string;
}

const randomSecret = (): string => randomBytes(24).toString('hex');

export function siteFiles(site: Site, secret: () => string = randomSecret): SiteFiles {
  const maker = new Maker(site, secret);
  const byId = <P extends Place>(
    places: readonly P[],
    make: (place: P, index: number) => object,
  ): Record<string, string> =>
    Object.fromEntries(places.map((place, i) => [place.id, `${JSON.stringify(make(place, i), null, 2)}\n`]));
  return {
    nats: Object.fromEntries(site.replicas.map(({ nats }) => [nats.id, maker.natsConf(nats.id)])),
    controlPlane: byId(site.replicas, (place) => maker.controlPlane(place)),
    dataPlane: byId(site.dataPlanes, (place, i) => maker.dataPlane(place, i)),
    worker: byId(site.workers, (place, i) => maker.worker(place, i)),
    apiToken: maker.tokens.api,
  };
}

class Maker {
  readonly tokens: {
    readonly api: string;
    readonly replica: string;
    readonly worker: string;
    readonly dataPlane: string;
  };
  readonly #site: Site;
  readonly #passwords = new Map<string, string>();
  readonly #system: string;
  readonly #route: string;

  constructor(site: Site, secret: () => string) {
    this.#site = site;
    this.tokens = { api: secret(), replica: secret(), worker: secret(), dataPlane: secret() };
    this.#system = secret();
    this.#route = secret();
    for (const [role, places] of this.#roles())
      for (const { id } of places) this.#passwords.set(`${role}-${id}`, secret());
  }

  #roles(): readonly (readonly [string, readonly Place[]])[] {
    const { replicas, dataPlanes, workers } = this.#site;
    return [
      ['replica', replicas],
      ['data-plane', dataPlanes],
      ['worker', workers],
    ];
  }

  #password(user: string): string {
    const password = this.#passwords.get(user);
    if (password === undefined) throw new BatonError('internal', `no password for ${user}`);
    return password;
  }

  #users(role: string, places: readonly Place[]): NatsUser[] {
    return places.map(({ id }) => ({ id, password: this.#password(`${role}-${id}`) }));
  }

  natsConf(id: string): string {
    const { cluster, replicas, dataPlanes, workers } = this.#site;
    return renderNatsConf({
      cluster,
      serverName: id,
      listen: `${EVERYWHERE}:${PORTS.nats}`,
      systemPassword: this.#system,
      routes: {
        listen: `${EVERYWHERE}:${PORTS.route}`,
        password: this.#route,
        others: replicas.flatMap(({ nats }) => (nats.id === id ? [] : [`${nats.host}:${PORTS.route}`])),
      },
      replicas: this.#users('replica', replicas),
      dataPlanes: this.#users('data-plane', dataPlanes),
      workers: this.#users('worker', workers),
    });
  }

  /** The nearest server first; the others in an order that spreads who has none beside it. */
  #nats(user: string, index: number, near: string | undefined): object {
    const { replicas } = this.#site;
    const own = index % replicas.length;
    const hosts = [...replicas.slice(own), ...replicas.slice(0, own)].map(({ nats }) => nats.host);
    if (near !== undefined) hosts[0] = near;
    return {
      servers: hosts.map((host) => `nats://${host}:${PORTS.nats}`),
      user,
      password: this.#password(user),
    };
  }

  controlPlane(place: ReplicaPlace): object {
    const { cluster, replicas } = this.#site;
    return {
      cluster,
      replica: place.id,
      dataDir: STATE_DIR,
      members: replicas.map(({ id, host }) => ({
        id,
        grpc: `${host}:${PORTS.grpc}`,
        http: `${host}:${PORTS.http}`,
      })),
      nats: {
        ...this.#nats(`replica-${place.id}`, replicas.indexOf(place), place.nats.near),
        system: { user: 'system', password: this.#system },
      },
      grpc: { host: EVERYWHERE, port: PORTS.grpc },
      http: { host: EVERYWHERE, port: PORTS.http },
      tokens: this.tokens,
    };
  }

  dataPlane(place: Place, index: number): object {
    return {
      cluster: this.#site.cluster,
      dataPlane: place.id,
      stateDir: STATE_DIR,
      nats: this.#nats(`data-plane-${place.id}`, index, undefined),
      caller: { host: EVERYWHERE, port: PORTS.caller },
      peer: { host: EVERYWHERE, port: PORTS.peer },
      advertiseHost: place.host,
      tokens: { dataPlane: this.tokens.dataPlane },
    };
  }

  worker(place: Place, index: number): object {
    return {
      cluster: this.#site.cluster,
      worker: place.id,
      stateDir: STATE_DIR,
      nats: this.#nats(`worker-${place.id}`, index, undefined),
      host: place.host,
      ports: SANDBOX_PORTS,
      capacity: WORKER_CAPACITY,
      tokens: { worker: this.tokens.worker },
    };
  }
}

/** For deploy/compose.yaml: a folder of files, by name. */
export function composeFiles(files: SiteFiles): Record<string, string> {
  const named = (of: Readonly<Record<string, string>>, ending: string): [string, string][] =>
    Object.entries(of).map(([id, text]) => [`${id}.${ending}`, text]);
  return Object.fromEntries([
    ...named(files.nats, 'conf'),
    ...[files.controlPlane, files.dataPlane, files.worker].flatMap((of) => named(of, 'json')),
    ['api-token', `${files.apiToken}\n`],
  ]);
}

/** For deploy/kubernetes: one manifest with a Secret per stateful set; pods pick their own file by their name. */
export function kubernetesFiles(files: SiteFiles): Record<string, string> {
  const secret = (name: string, of: Readonly<Record<string, string>>, ending: string): object => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: 'baton', labels: { 'app.kubernetes.io/name': 'baton' } },
    type: 'Opaque',
    stringData: Object.fromEntries(Object.entries(of).map(([id, text]) => [`${id}${ending}`, text])),
  });
  const secrets = [
    secret('nats', files.nats, '.conf'),
    secret('control-plane', files.controlPlane, '.json'),
    secret('data-plane', files.dataPlane, '.json'),
    secret('worker', files.worker, '.json'),
    secret('api-token', { token: files.apiToken }, ''),
  ];
  const text = secrets.map((manifest) => stringify(manifest, { lineWidth: 0 })).join('---\n');
  return { 'secrets.yaml': text, 'api-token': `${files.apiToken}\n` };
}
