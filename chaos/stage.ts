/**
 * The cluster under test: real processes in one directory, started, killed and stopped one by one. Everything that was ever
 * started is remembered, so that the end can show that nothing is left.
 */
import { execFile } from 'node:child_process';
import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiClient, type Replica as ReplicaStatus } from '../src/api/client.ts';
import { loadLocalCluster, type LocalCluster } from '../src/config/cluster.ts';
import { BatonError, isBatonError } from '../src/lib/errors.ts';
import { createCluster, down } from '../cluster/local/local-cluster.ts';
import {
  memberOf,
  membersOf,
  prepareMember,
  type Member,
  type MemberKind,
} from '../cluster/local/members.ts';
import { logTail, processOf, startDetached, type Command } from '../cluster/local/processes.ts';
import { acceptsConnections, getJson, missingToServe } from '../cluster/local/readiness.ts';
import { hasCluster, topologyDefaults, type TopologyOptions } from '../cluster/local/topology.ts';
import { batonProgram } from '../cluster/package-root.ts';
import { provision } from '../cluster/provision/provision.ts';
import { Network, type Proxied } from './network/network.ts';
import { Toxiproxy, TOXIPROXY } from './network/toxiproxy.ts';
import { isStopped, processesOf } from './proc.ts';
import { pause, until } from './until.ts';

const STATUS_TIMEOUT_MS = 500;
const START_TIMEOUT_MS = 30_000;
const GONE_TIMEOUT_MS = 5_000;
/** Longer than the grace that processes give what they are at. */
const STOP_TIMEOUT_MS = 20_000;
const LOG_LINES = 3;
const SANDBOX_IDLE_MS = 3_000;
/** In a process' own log, before what its new life writes. */
export const LAUNCHED = 'launched';

/** What the cluster consists of, and how its processes are configured where that is not the default. */
export interface StagePlan extends TopologyOptions {
  /** How long a data plane counts as live after its last report. */
  readonly leaseMs: number;
  /** What goes through toxiproxy. */
  readonly proxied: readonly Proxied[];
}

export const stageDefaults: StagePlan = { ...topologyDefaults, leaseMs: 3_000, proxied: [] };

export interface StageReplica {
  readonly id: string;
  readonly directory: string;
  /** Raft's log and the artifacts. */
  readonly dataDirectory: string;
  readonly client: ApiClient;
}

export interface StageDataPlane {
  readonly id: string;
  readonly url: string;
  readonly peerUrl: string;
}

/** Another way to start a process, such as inside a mount namespace. */
export type Wrap = (command: Command) => Command;

export class Stage {
  readonly directory: string;
  readonly members: readonly Member[];
  readonly replicas: readonly StageReplica[];
  readonly dataPlanes: readonly StageDataPlane[];
  /** Through whichever replica answers. */
  readonly api: ApiClient;
  readonly signal: AbortSignal;
  readonly #cluster: LocalCluster;
  readonly #plan: StagePlan;
  readonly #natsServer: string;
  /** Taken down on purpose, and not started again yet. */
  readonly #away = new Set<string>();
  readonly #network: Network | undefined;

  private constructor(
    directory: string,
    cluster: LocalCluster,
    plan: StagePlan,
    natsServer: string,
    network: Network | undefined,
    signal: AbortSignal,
  ) {
    const { host, tokens } = cluster;
    this.directory = directory;
    this.#cluster = cluster;
    this.#plan = plan;
    this.#natsServer = natsServer;
    this.#network = network;
    this.signal = signal;
    this.members = membersOf(directory, cluster);
    const client = (servers: readonly string[], timeoutMs: number): ApiClient =>
      new ApiClient({ servers, token: tokens.api, timeoutMs });
    this.replicas = cluster.replicas.map(({ id, grpc }) => {
      const home = join(directory, id);
      const dataDirectory = join(home, 'data');
      return { id, directory: home, dataDirectory, client: client([`${host}:${grpc}`], STATUS_TIMEOUT_MS) };
    });
    this.dataPlanes = cluster.dataPlanes.map(({ id, caller, peer }) => ({
      id,
      url: `http://${host}:${caller}`,
      peerUrl: `http://${host}:${peer}`,
    }));
    this.api = client(
      cluster.replicas.map(({ grpc }) => `${host}:${grpc}`),
      START_TIMEOUT_MS,
    );
  }

  /** Resolves when requests can be served. */
  static async open(
    directory: string,
    plan: StagePlan,
    signal: AbortSignal,
    progress: (line: string) => void,
  ): Promise<Stage> {
    const nats = await provision('nats-server', progress);
    const cluster = await createCluster(directory, plan, nats.path, progress);
    const { proxied } = plan;
    const network =
      proxied.length === 0
        ? undefined
        : await Network.open(directory, cluster, proxied, nats, signal, progress);
    const stage = new Stage(directory, cluster, plan, nats.path, network, signal);
    try {
      await stage.#begin(progress);
      return stage;
    } catch (error) {
      await network?.close();
      throw error;
    }
  }

  async #begin(progress: (line: string) => void): Promise<void> {
    progress(`starting ${this.members.map(({ id }) => id).join(', ')} …`);
    await Promise.all(this.ids('nats').map((id) => this.start(id)));
    await this.#network?.connect(this.signal);
    for (const { id, kind } of this.members) if (kind !== 'nats') this.launch(id);
    await this.untilServing();
  }

  /** Where links can be cut. */
  get network(): Network {
    if (this.#network === undefined) throw new BatonError('internal', 'this stage has no proxies');
    return this.#network;
  }

  ids(kind: MemberKind): string[] {
    return this.members.filter((member) => member.kind === kind).map(({ id }) => id);
  }

  /** The server that a replica connects to first. */
  natsBeside(replica: string): string {
    const servers = this.ids('nats');
    const index = this.replicas.findIndex(({ id }) => id === replica);
    return servers[Math.max(0, index) % servers.length] ?? '';
  }

  replica(id: string): StageReplica {
    const found = this.replicas.find((replica) => replica.id === id);
    if (found === undefined) throw new BatonError('internal', `no replica ${id}`);
    return found;
  }

  #member(id: string): Member {
    return memberOf(this.directory, this.#cluster, id);
  }

  /** What other data planes present to a peer listener. */
  get peerToken(): string {
    return this.#cluster.tokens.dataPlane;
  }

  // ---- processes ----------------------------------------------------------------------------------------------------

  pid(id: string): number | undefined {
    return processOf(this.#member(id).directory)?.pid;
  }

  #running(id: string): number {
    const pid = this.pid(id);
    if (pid !== undefined) return pid;
    throw new BatonError('unavailable', `${id} ended by itself: ${this.logEnd(id)}`, {
      hint: `its log is ${join(this.#member(id).directory, 'log')}`,
    });
  }

  /** kill -9 of one, or of many in one instant. @returns the pids, which are gone */
  async kill(...ids: string[]): Promise<number[]> {
    const pids = ids.map((id) => this.#running(id));
    for (const id of ids) this.#away.add(id);
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    for (const id of ids) await this.untilGone(id, GONE_TIMEOUT_MS);
    return pids;
  }

  /** It will end by itself, as it should: no fault at its side takes that for an accident. Until it is launched again. */
  expectEnd(id: string): void {
    this.#away.add(id);
  }

  async untilGone(id: string, timeoutMs: number): Promise<void> {
    await until(`${id} is gone`, timeoutMs, this.signal, () => this.pid(id) === undefined);
  }

  /** SIGTERM. @returns the pid, which has ended by itself. @throws BatonError `timeout` when it goes on */
  async stop(id: string): Promise<number> {
    const pid = this.#running(id);
    this.#away.add(id);
    process.kill(pid, 'SIGTERM');
    await this.untilGone(id, STOP_TIMEOUT_MS);
    return pid;
  }

  /** SIGSTOP. Resolves when the system says that it is stopped. */
  async suspend(id: string): Promise<number> {
    const pid = this.#running(id);
    process.kill(pid, 'SIGSTOP');
    await until(`${id} is stopped`, GONE_TIMEOUT_MS, this.signal, () => isStopped(pid));
    return pid;
  }

  /** SIGCONT. */
  async wake(id: string): Promise<number> {
    const pid = this.#running(id);
    process.kill(pid, 'SIGCONT');
    await until(`${id} runs on`, GONE_TIMEOUT_MS, this.signal, () => !isStopped(pid));
    return pid;
  }

  /** Resolves when it runs; it may not answer yet. */
  launch(id: string, wrap: Wrap = (command) => command): void {
    const member = this.#member(id);
    const seen = this.#network?.seenBy(id) ?? this.#cluster;
    const command = prepareMember(member, seen, this.#natsServer);
    this.#configure(member);
    // The line before may have been torn by a kill.
    const line = { level: 'info', time: new Date().toISOString(), component: 'chaos', msg: LAUNCHED };
    appendFileSync(join(member.directory, 'log'), `\n${JSON.stringify(line)}\n`);
    startDetached(member.directory, { ...command, ...wrap(command) });
    this.#away.delete(id);
  }

  /**
   * Workers and data planes keep a record of what they did: debug lines of their logs. Connections that a burst of requests made
   * are closed soon after it, so that what is held at the end is seen without waiting for half a minute.
   */
  #configure(member: Member): void {
    const { kind, directory } = member;
    const proxied = this.#network?.configure(member) ?? {};
    if (kind === 'nats') return;
    const path = join(directory, 'config.json');
    const config = JSON.parse(readFileSync(path, 'utf8')) as object;
    const { leaseMs } = this.#plan;
    const log = { level: 'debug' };
    const own = {
      replica: { leader: { leaseMs } },
      'data-plane': { log, sandboxIdleMs: SANDBOX_IDLE_MS },
      worker: { log },
    }[kind];
    writeFileSync(path, JSON.stringify({ ...config, ...own, ...proxied }));
  }

  /** Resolves with its pid when it answers. @throws BatonError with the end of its log when it does not */
  async start(id: string, wrap?: Wrap): Promise<number> {
    const mark = this.logMark(id);
    this.launch(id, wrap);
    return until(`${id} answers`, START_TIMEOUT_MS, this.signal, async () => {
      const pid = this.#running(id);
      return (await this.#answers(id, mark)) && pid;
    });
  }

  async #answers(id: string, mark: number): Promise<boolean> {
    const { kind, ports } = this.#member(id);
    switch (kind) {
      case 'nats':
        return acceptsConnections(this.#cluster.host, ports[0] ?? 0);
      case 'replica':
        return (await this.status(id)) !== undefined;
      case 'data-plane':
        return (await getJson(`${this.dataPlane(id).url}/readyz`, undefined)) !== undefined;
      case 'worker':
        return this.logSince(id, mark).includes('worker is up');
      default:
        return kind satisfies never;
    }
  }

  /** Where it answers HTTP; undefined: it does not. */
  httpOf(id: string): string | undefined {
    const { host, replicas } = this.#cluster;
    const replica = replicas.find((one) => one.id === id);
    if (replica !== undefined) return `http://${host}:${replica.http}`;
    return this.dataPlanes.find((one) => one.id === id)?.url;
  }

  dataPlane(id: string): StageDataPlane {
    const found = this.dataPlanes.find((dataPlane) => dataPlane.id === id);
    if (found === undefined) throw new BatonError('internal', `no data plane ${id}`);
    return found;
  }

  /** Everything that is down or stopped runs again, and every link carries. */
  async heal(): Promise<void> {
    await this.#network?.toxiproxy.heal();
    for (const { id, directory } of this.members) {
      const pid = processOf(directory)?.pid;
      if (pid === undefined) await this.start(id);
      else if (isStopped(pid)) await this.wake(id);
      // Also one that should have ended, and did not.
      this.#away.delete(id);
    }
  }

  // ---- as a client sees it ------------------------------------------------------------------------------------------

  /** What the replica says of itself; undefined when it does not answer. */
  async status(id: string): Promise<ReplicaStatus | undefined> {
    try {
      return await this.replica(id).client.call('getReplica', {}, STATUS_TIMEOUT_MS);
    } catch (error) {
      if (isBatonError(error)) return undefined;
      throw error;
    }
  }

  statuses(): Promise<(ReplicaStatus | undefined)[]> {
    return Promise.all(this.replicas.map(({ id }) => this.status(id)));
  }

  /** Whoever leads with the highest term, by the replicas' own word. */
  async leader(): Promise<ReplicaStatus | undefined> {
    return (await this.statuses())
      .filter((status) => status?.role === 'leader')
      .reduce((a, b) => ((a?.term ?? -1) < (b?.term ?? -1) ? b : a), undefined);
  }

  /** All replicas answer, have a vote, and one leads. */
  async untilWhole(timeoutMs: number): Promise<void> {
    await until('all replicas up, with a vote, and a leader', timeoutMs, this.signal, async () => {
      const all = await this.statuses();
      return all.every((status) => status?.voter === true) && all.some((status) => status?.role === 'leader');
    });
  }

  /** All processes are up, and the leader knows them. */
  async untilServing(): Promise<void> {
    let missing: string[] = [];
    try {
      await until('every process serves', START_TIMEOUT_MS, this.signal, async () => {
        for (const { id } of this.members) if (!this.#away.has(id)) this.#running(id);
        missing = await missingToServe(this.#cluster);
        return missing.length === 0;
      });
    } catch (error) {
      if (!isBatonError(error, 'timeout')) throw error;
      throw new BatonError('timeout', `${error.message}: waiting for ${missing.join(', ')}`);
    }
  }

  /** The command line, as a user types it. @throws BatonError with what it said */
  baton(...args: string[]): Promise<unknown> {
    const argv = ['--no-warnings', batonProgram(), ...args, '--dir', this.directory, '-o', 'json'];
    const { signal } = this;
    return new Promise((resolve, reject) => {
      execFile(process.execPath, argv, { signal }, (error, stdout, stderr) => {
        if (error === null) resolve(stdout === '' ? undefined : JSON.parse(stdout));
        else if (signal.aborted) reject(new BatonError('canceled', 'the run was interrupted'));
        else reject(new BatonError('unavailable', `baton ${args.join(' ')} failed: ${stderr.trim()}`));
      });
    });
  }

  // ---- logs ---------------------------------------------------------------------------------------------------------

  logPath(id: string): string {
    return join(this.#member(id).directory, 'log');
  }

  /** Where the log ends now: what comes later can be told from what was there. */
  logMark(id: string): number {
    return statSync(this.logPath(id), { throwIfNoEntry: false })?.size ?? 0;
  }

  logSince(id: string, mark: number): string {
    return readFileSync(this.logPath(id)).subarray(mark).toString('utf8');
  }

  logEnd(id: string): string {
    return logTail(this.#member(id).directory, LOG_LINES).replaceAll('\n', ' | ');
  }

  // ---- the end ------------------------------------------------------------------------------------------------------

  /** Ends every process. @returns the command lines of what is still there and belongs to this directory: nothing */
  static async close(directory: string, stage: Stage | undefined): Promise<string[]> {
    for (const { client } of stage?.replicas ?? []) client.close();
    stage?.api.close();
    if (stage !== undefined) await stage.#network?.close();
    await Toxiproxy.stop(directory);
    if (!hasCluster(directory)) return [];
    const members = membersOf(directory, loadLocalCluster(directory));
    // What they hold has been judged: nothing is gained by a graceful end, and an interruption should not take long.
    for (const member of members) {
      const pid = processOf(member.directory)?.pid;
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
    }
    await down(directory);
    const left = (): string[] => processesOf(directory, [...members.map(({ id }) => id), TOXIPROXY]);
    const deadline = performance.now() + GONE_TIMEOUT_MS;
    const never = new AbortController().signal;
    while (left().length > 0 && performance.now() < deadline) await pause(50, never);
    return left();
  }
}
