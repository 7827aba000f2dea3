/** The processes of a local cluster: where each lives, and the configuration that it is started with. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { LocalCluster } from '../../src/config/cluster.ts';
import { fleetIds } from '../../src/config/worker.ts';
import { BatonError } from '../../src/lib/errors.ts';
import { renderNatsConf } from '../nats/render.ts';
import { batonProgram } from '../package-root.ts';
import type { Command } from './processes.ts';

export type MemberKind = 'nats' | 'replica' | 'data-plane' | 'worker';

export interface Member {
  readonly kind: MemberKind;
  readonly id: string;
  readonly directory: string;
  /** Ports that must be free before it starts. */
  readonly ports: readonly number[];
}

const CONFIG_FILE = 'config.json';

/** In the order in which they are started. */
export function membersOf(root: string, cluster: LocalCluster): Member[] {
  const directory = (id: string): string => join(resolve(root), id);
  return [
    ...cluster.nats.map(({ id, port, routePort }): Member => {
      const ports = cluster.nats.length > 1 ? [port, routePort] : [port];
      return { kind: 'nats', id, directory: directory(id), ports };
    }),
    ...cluster.replicas.map(({ id, grpc, http }): Member => {
      return { kind: 'replica', id, directory: directory(id), ports: [grpc, http] };
    }),
    ...cluster.dataPlanes.map(({ id, caller, peer }): Member => {
      return { kind: 'data-plane', id, directory: directory(id), ports: [caller, peer] };
    }),
    ...cluster.workers.map(({ id }): Member => ({ kind: 'worker', id, directory: directory(id), ports: [] })),
  ];
}

/** @throws BatonError `not-found` that lists what there is */
export function memberOf(root: string, cluster: LocalCluster, id: string): Member {
  const members = membersOf(root, cluster);
  const member = members.find((candidate) => candidate.id === id);
  if (member !== undefined) return member;
  throw new BatonError('not-found', `no process ${id} in this cluster`, {
    fields: { path: 'ID' },
    hint: `there are ${members.map((candidate) => candidate.id).join(', ')}`,
  });
}

/**
 * A new leader hears of thousands of sandboxes at once, and all of it lives on: with V8's usual nursery of 16 MiB, copying what is
 * young is a sixth of what a reconstruction costs.
 */
const NODE_FLAGS = ['--no-warnings', '--max-semi-space-size=32'] as const;

/** Writes what the process reads (its directory may have been lost) and says how to start it. */
export function prepareMember(member: Member, cluster: LocalCluster, natsServer: string): Command {
  mkdirSync(member.directory, { recursive: true });
  const write = (name: string, text: string): string => {
    const path = join(member.directory, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  if (member.kind === 'nats') {
    return {
      file: natsServer,
      args: ['-c', write('nats.conf', natsConf(member.id, cluster))],
      isUrgent: true,
    };
  }
  const config = write(CONFIG_FILE, `${JSON.stringify(configOf(member, cluster), null, 2)}\n`);
  const role = member.kind === 'replica' ? 'control-plane' : member.kind;
  const args = [...NODE_FLAGS, batonProgram(), role, '--config', config];
  return { file: process.execPath, args, isUrgent: member.kind === 'replica' };
}

/** How a replica's directory is created, once. */
export function bootstrapCommand(member: Member, cluster: LocalCluster, natsServer: string): Command {
  prepareMember(member, cluster, natsServer);
  const config = join(member.directory, CONFIG_FILE);
  const args = ['--no-warnings', batonProgram(), 'bootstrap', '--replica', member.id, '--config', config];
  return { file: process.execPath, args };
}

function password(cluster: LocalCluster, user: string): string {
  const found = cluster.passwords[user];
  if (found === undefined) throw new BatonError('invalid-argument', `cluster.json: no password for ${user}`);
  return found;
}

function natsConf(id: string, cluster: LocalCluster): string {
  const { host, nats, passwords } = cluster;
  const self = nats.find((server) => server.id === id) ?? nats[0];
  const users = (
    role: string,
    list: readonly { readonly id: string }[],
  ): { id: string; password: string }[] =>
    list.map((member) => ({ id: member.id, password: password(cluster, `${role}-${member.id}`) }));
  return renderNatsConf({
    cluster: cluster.cluster,
    serverName: id,
    listen: `${host}:${self?.port ?? 0}`,
    systemPassword: passwords['system'] ?? '',
    routes:
      nats.length === 1
        ? undefined
        : {
            listen: `${host}:${self?.routePort ?? 0}`,
            password: passwords['route'] ?? '',
            others: nats.filter((server) => server.id !== id).map(({ routePort }) => `${host}:${routePort}`),
          },
    replicas: users('replica', cluster.replicas),
    dataPlanes: users('data-plane', cluster.dataPlanes),
    workers: cluster.workers.map(({ id, fleet }) => ({
      id,
      password: password(cluster, `worker-${id}`),
      ...(fleet === undefined ? {} : { fleet: fleetIds(id, fleet) }),
    })),
  });
}

/** The own server first: replica r1 beside n1, r2 beside n2; with one server all share it. */
function natsClient(cluster: LocalCluster, user: string, index: number): object {
  const urls = cluster.nats.map(({ port }) => `nats://${cluster.host}:${port}`);
  const own = index % urls.length;
  return { servers: [...urls.slice(own), ...urls.slice(0, own)], user, password: password(cluster, user) };
}

function configOf(member: Member, cluster: LocalCluster): object {
  const { host, tokens } = cluster;
  switch (member.kind) {
    case 'replica': {
      const index = cluster.replicas.findIndex(({ id }) => id === member.id);
      const self = cluster.replicas[index];
      return {
        cluster: cluster.cluster,
        replica: member.id,
        dataDir: 'data',
        members: cluster.replicas.map(({ id, grpc, http }) => ({
          id,
          grpc: `${host}:${grpc}`,
          http: `${host}:${http}`,
        })),
        nats: {
          ...natsClient(cluster, `replica-${member.id}`, index),
          system: { user: 'system', password: password(cluster, 'system') },
        },
        grpc: { host, port: self?.grpc },
        http: { host, port: self?.http },
        tokens,
      };
    }
    case 'data-plane': {
      const index = cluster.dataPlanes.findIndex(({ id }) => id === member.id);
      const self = cluster.dataPlanes[index];
      return {
        cluster: cluster.cluster,
        dataPlane: member.id,
        stateDir: 'state',
        nats: natsClient(cluster, `data-plane-${member.id}`, index),
        caller: { host, port: self?.caller },
        peer: { host, port: self?.peer },
        tokens: { dataPlane: tokens.dataPlane },
      };
    }
    case 'worker': {
      const index = cluster.workers.findIndex(({ id }) => id === member.id);
      const self = cluster.workers[index];
      return {
        cluster: cluster.cluster,
        worker: member.id,
        stateDir: 'state',
        nats: natsClient(cluster, `worker-${member.id}`, index),
        runtime: cluster.runtime,
        startMs: cluster.startMs,
        ports: self?.ports,
        fleet: self?.fleet,
        tokens: { worker: tokens.worker },
      };
    }
    case 'nats':
      throw new BatonError('internal', 'a NATS server has no baton configuration');
    default:
      return member.kind satisfies never;
  }
}
