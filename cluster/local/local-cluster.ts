/** `baton up`, `down`, `start` and `stop`: a cluster of real processes in one directory of this machine. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { loadLocalCluster, type LocalCluster } from '../../src/config/cluster.ts';
import { BatonError } from '../../src/lib/errors.ts';
import { provision, type Progress } from '../provision/provision.ts';
import { bootstrapCommand, memberOf, membersOf, prepareMember, type Member } from './members.ts';
import { isPortFree } from './ports.ts';
import { logTail, processOf, startDetached, stopProcess, wasStarted } from './processes.ts';
import { acceptsConnections, missingToServe } from './readiness.ts';
import { hasCluster, makeTopology, writeTopology, type TopologyOptions } from './topology.ts';

const SERVE_TIMEOUT_MS = 30_000;
const POLL_MS = 50;
const STOPPED_POLL_MS = 250;
const GRACE_MS = 12_000;
const LOG_LINES = 5;

export interface ClusterView {
  readonly dir: string;
  readonly nats: readonly { id: string; pid: number; url: string; dir: string }[];
  readonly replicas: readonly { id: string; pid: number; grpc: string; http: string; dir: string }[];
  readonly dataPlanes: readonly { id: string; pid: number; url: string; dir: string }[];
  readonly workers: readonly { id: string; pid: number; dir: string }[];
}

/** @throws BatonError `not-found` that says how to start one */
export function openCluster(directory: string): LocalCluster {
  if (hasCluster(directory)) return loadLocalCluster(directory);
  throw new BatonError('not-found', `no cluster in ${directory}`, { hint: `start one: baton up` });
}

/** Pids are 0 for processes that do not run. */
export function viewOf(directory: string, cluster: LocalCluster): ClusterView {
  const { host } = cluster;
  const dir = resolve(directory);
  const place = (id: string): { pid: number; dir: string } => {
    const own = join(dir, id);
    return { pid: processOf(own)?.pid ?? 0, dir: own };
  };
  return {
    dir,
    nats: cluster.nats.map(({ id, port }) => ({ id, url: `nats://${host}:${port}`, ...place(id) })),
    replicas: cluster.replicas.map(({ id, grpc, http }) => ({
      id,
      grpc: `${host}:${grpc}`,
      http: `http://${host}:${http}`,
      ...place(id),
    })),
    dataPlanes: cluster.dataPlanes.map(({ id, caller }) => ({
      id,
      url: `http://${host}:${caller}`,
      ...place(id),
    })),
    workers: cluster.workers.map(({ id }) => ({ id, ...place(id) })),
  };
}

/**
 * Makes a cluster where there is none, starts what does not run, and resolves once requests can be served.
 * @param options undefined: whatever the directory's cluster is, or the defaults
 */
export async function up(
  directory: string,
  options: TopologyOptions,
  progress: Progress,
): Promise<ClusterView> {
  const { path: natsServer } = await provision('nats-server', progress);
  const cluster = hasCluster(directory)
    ? loadLocalCluster(directory)
    : await createCluster(directory, options, natsServer, progress);
  const members = membersOf(directory, cluster).filter((member) => processOf(member.directory) === undefined);
  await startMembers(members, cluster, natsServer, progress);
  await untilServing(directory, cluster, progress);
  return viewOf(directory, cluster);
}

/** Starts nothing. cluster.json comes last: half a bootstrap is no cluster, and is begun again. */
export async function createCluster(
  directory: string,
  options: TopologyOptions,
  natsServer: string,
  progress: Progress,
): Promise<LocalCluster> {
  const cluster = await makeTopology(options);
  progress(`creating cluster ${cluster.cluster} in ${directory} …`);
  const replicas = membersOf(directory, cluster).filter(({ kind }) => kind === 'replica');
  const left = replicas.find((member) => existsSync(join(member.directory, 'data')));
  if (left !== undefined) {
    throw new BatonError(
      'already-exists',
      `${directory} has no cluster.json, but ${left.directory} holds data`,
      {
        fields: { path: '--dir' },
        hint: 'remove the directory, or choose another',
      },
    );
  }
  const run = promisify(execFile);
  await Promise.all(
    replicas.map(async (member) => {
      const { file, args } = bootstrapCommand(member, cluster, natsServer);
      await run(file, [...args]);
    }),
  );
  writeTopology(directory, cluster);
  return cluster;
}

async function startMembers(
  members: readonly Member[],
  cluster: LocalCluster,
  natsServer: string,
  progress: Progress,
): Promise<void> {
  for (const member of members) await demandFreePorts(member, cluster);
  const start = (member: Member): void => {
    startDetached(member.directory, prepareMember(member, cluster, natsServer));
  };
  const servers = members.filter(({ kind }) => kind === 'nats');
  const others = members.filter(({ kind }) => kind !== 'nats');
  if (members.length > 0) progress(`starting ${members.map(({ id }) => id).join(', ')} …`);
  for (const member of servers) start(member);
  for (const member of servers) await untilAccepting(member, cluster);
  for (const member of others) start(member);
}

async function demandFreePorts(member: Member, cluster: LocalCluster): Promise<void> {
  for (const port of member.ports) {
    if (await isPortFree(cluster.host, port)) continue;
    throw new BatonError('io', `${member.id}: port ${port} is taken by another process`, {
      fields: { port },
      hint: 'end that process, or make a new cluster in another directory',
    });
  }
}

async function untilAccepting(member: Member, cluster: LocalCluster): Promise<void> {
  const deadline = performance.now() + SERVE_TIMEOUT_MS;
  const [port = 0] = member.ports;
  while (!(await acceptsConnections(cluster.host, port))) {
    demandAlive(member);
    if (performance.now() > deadline)
      throw new BatonError('timeout', `${member.id} does not listen on ${port}`);
    await delay(POLL_MS);
  }
}

function demandAlive(member: Member): void {
  if (processOf(member.directory) !== undefined) return;
  throw new BatonError('unavailable', `${member.id} ended at once`, {
    hint: `its log is ${join(member.directory, 'log')}`,
    fields: { log: logTail(member.directory, LOG_LINES) },
  });
}

async function untilServing(directory: string, cluster: LocalCluster, progress: Progress): Promise<void> {
  const deadline = performance.now() + SERVE_TIMEOUT_MS;
  let told = 0;
  for (;;) {
    const missing = await missingToServe(cluster);
    if (missing.length === 0) return;
    for (const member of membersOf(directory, cluster)) demandAlive(member);
    if (performance.now() > deadline) {
      throw new BatonError('timeout', `the cluster does not serve after ${SERVE_TIMEOUT_MS / 1_000} s`, {
        fields: { missing },
        hint: `waiting for ${missing.join(', ')}; logs are in ${directory}/*/log`,
      });
    }
    if (performance.now() - told > 3_000) {
      if (told > 0) progress(`waiting for ${missing.join(', ')} …`);
      told = performance.now();
    }
    await delay(POLL_MS);
  }
}

/** Starts single processes; resolves when they run, not when they serve. */
export async function start(
  directory: string,
  ids: readonly string[],
  progress: Progress,
): Promise<ClusterView> {
  const cluster = openCluster(directory);
  const members = ids.map((id) => memberOf(directory, cluster, id));
  const { path } = await provision('nats-server', progress);
  const down = members.filter((member) => processOf(member.directory) === undefined);
  await startMembers(down, cluster, path, progress);
  for (const member of down) {
    if (member.ports.length > 0) await untilAccepting(member, cluster);
    else demandAlive(member);
  }
  return viewOf(directory, cluster);
}

export async function stop(directory: string, ids: readonly string[]): Promise<string[]> {
  const cluster = openCluster(directory);
  const members = ids.map((id) => memberOf(directory, cluster, id));
  return stopMembers(members);
}

/** In the reverse order of their start: callers first, the bus last. */
export async function down(directory: string): Promise<string[]> {
  const cluster = openCluster(directory);
  await stopProcess(supervisorDirectory(directory), GRACE_MS);
  return stopMembers(membersOf(directory, cluster));
}

async function stopMembers(members: readonly Member[]): Promise<string[]> {
  const stopped: string[] = [];
  for (const kind of ['data-plane', 'worker', 'replica', 'nats'] as const) {
    const group = members.filter((member) => member.kind === kind);
    const results = await Promise.all(group.map(({ directory }) => stopProcess(directory, GRACE_MS)));
    stopped.push(...group.filter((_, i) => results[i]).map(({ id }) => id));
  }
  return stopped;
}

/** @returns true once all of it was stopped on purpose, be it one by one; false with the signal */
export async function untilStopped(directory: string, signal: AbortSignal): Promise<boolean> {
  const members = membersOf(directory, openCluster(directory));
  while (!signal.aborted) {
    if (members.every((member) => !wasStarted(member.directory) && processOf(member.directory) === undefined))
      return true;
    await delay(STOPPED_POLL_MS, undefined, { signal }).catch(() => undefined);
  }
  return false;
}

export const supervisorDirectory = (directory: string): string => join(resolve(directory), 'supervisor');

/** Starts again whatever ends, with a pause that grows, until it is told to stop. */
export async function supervise(directory: string, signal: AbortSignal, progress: Progress): Promise<void> {
  const cluster = openCluster(directory);
  const { path } = await provision('nats-server', progress);
  const pauses = new Map<string, { untilMs: number; pauseMs: number }>();
  while (!signal.aborted) {
    for (const member of membersOf(directory, cluster)) {
      // What was stopped on purpose left no file behind.
      if (!wasStarted(member.directory) || processOf(member.directory) !== undefined) continue;
      const now = performance.now();
      const last = pauses.get(member.id);
      if (last !== undefined && now < last.untilMs) continue;
      const isCalm = last === undefined || now - last.untilMs > 30_000;
      const pauseMs = isCalm ? 250 : Math.min(10_000, last.pauseMs * 2);
      pauses.set(member.id, { untilMs: now + pauseMs, pauseMs });
      progress(`${member.id} is down; starting it again`);
      startDetached(member.directory, prepareMember(member, cluster, path));
    }
    await delay(100, undefined, { signal }).catch(() => undefined);
  }
}
