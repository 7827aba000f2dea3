/**
 * The cluster under test: real processes in one directory, started and killed one by one, and looked at as a client does.
 * Everything that was ever started is remembered, so that the end can show that nothing is left.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiClient, type Replica as ReplicaStatus } from '../src/api/client.ts';
import { loadLocalCluster, type LocalCluster } from '../src/config/cluster.ts';
import { BatonError, isBatonError } from '../src/lib/errors.ts';
import { down, up } from '../cluster/local/local-cluster.ts';
import { memberOf, prepareMember } from '../cluster/local/members.ts';
import { logTail, processOf, startDetached, type Command } from '../cluster/local/processes.ts';
import { hasCluster, topologyDefaults } from '../cluster/local/topology.ts';
import { pause, until } from './until.ts';

const STATUS_TIMEOUT_MS = 500;
const START_TIMEOUT_MS = 20_000;
const GONE_TIMEOUT_MS = 5_000;
const LOG_LINES = 3;

/**
 * A leader answers an update or a delete only when the lease of its predecessor's data planes ran out. With a kill each two
 * seconds and the default of three, most of the history would be waiting; nothing that is replicated depends on it.
 */
const LEASE_MS = 600;

export interface StageReplica {
  readonly id: string;
  readonly directory: string;
  /** Raft's log and the artifacts. */
  readonly dataDirectory: string;
  readonly client: ApiClient;
}

/** Another way to start a replica's process, such as inside a mount namespace. */
export type Wrap = (command: Command) => Command;

export class Stage {
  readonly directory: string;
  readonly replicas: readonly StageReplica[];
  readonly signal: AbortSignal;
  readonly #cluster: LocalCluster;

  private constructor(directory: string, cluster: LocalCluster, signal: AbortSignal) {
    this.directory = directory;
    this.#cluster = cluster;
    this.signal = signal;
    this.replicas = cluster.replicas.map(({ id, grpc }) => {
      const home = join(directory, id);
      const servers = [`${cluster.host}:${grpc}`];
      const client = new ApiClient({ servers, token: cluster.tokens.api, timeoutMs: STATUS_TIMEOUT_MS });
      return { id, directory: home, dataDirectory: join(home, 'data'), client };
    });
  }

  /** Three replicas, one data plane that follows them, one NATS server. */
  static async open(
    directory: string,
    signal: AbortSignal,
    progress: (line: string) => void,
  ): Promise<Stage> {
    await up(directory, { ...topologyDefaults, dataPlanes: 1, workers: 0 }, progress);
    const stage = new Stage(directory, loadLocalCluster(directory), signal);
    for (const { id } of stage.replicas) await stage.kill(id);
    await Promise.all(stage.replicas.map(({ id }) => stage.start(id)));
    await until('a leader', START_TIMEOUT_MS, signal, () => stage.leader());
    return stage;
  }

  replica(id: string): StageReplica {
    const found = this.replicas.find((replica) => replica.id === id);
    if (found === undefined) throw new BatonError('internal', `no replica ${id}`);
    return found;
  }

  pid(id: string): number | undefined {
    return processOf(this.replica(id).directory)?.pid;
  }

  /** kill -9. @returns the pid, which is gone */
  async kill(id: string): Promise<number> {
    const pid = this.pid(id);
    if (pid === undefined)
      throw new BatonError('unavailable', `${id} ended by itself: ${this.logEnd(id)}`, {
        hint: `its log is ${join(this.replica(id).directory, 'log')}`,
      });
    process.kill(pid, 'SIGKILL');
    await this.untilGone(id, GONE_TIMEOUT_MS);
    return pid;
  }

  async untilGone(id: string, timeoutMs: number): Promise<void> {
    await until(`${id} is gone`, timeoutMs, this.signal, () => this.pid(id) === undefined);
  }

  /** Resolves when it runs; it may not answer yet. */
  launch(id: string, wrap: Wrap = (command) => command): void {
    const member = memberOf(this.directory, this.#cluster, id);
    const command = prepareMember(member, this.#cluster, '');
    const path = join(member.directory, 'config.json');
    const config = JSON.parse(readFileSync(path, 'utf8')) as object;
    writeFileSync(path, JSON.stringify({ ...config, leader: { leaseMs: LEASE_MS } }));
    startDetached(member.directory, wrap(command));
  }

  /** Resolves when it answers. @throws BatonError with the end of its log when it does not */
  async start(id: string, wrap?: Wrap): Promise<ReplicaStatus> {
    this.launch(id, wrap);
    return until(`${id} answers`, START_TIMEOUT_MS, this.signal, async () => {
      if (this.pid(id) === undefined)
        throw new BatonError('unavailable', `${id} ended after its start: ${this.logEnd(id)}`);
      return this.status(id);
    });
  }

  /** What the replica says of itself; undefined when it does not answer. */
  async status(id: string): Promise<ReplicaStatus | undefined> {
    try {
      return await this.replica(id).client.call('getReplica', {}, STATUS_TIMEOUT_MS);
    } catch (error) {
      if (isBatonError(error)) return undefined;
      throw error;
    }
  }

  /** Whoever leads with the highest term, by the replicas' own word. */
  async leader(): Promise<ReplicaStatus | undefined> {
    const all = await Promise.all(this.replicas.map(({ id }) => this.status(id)));
    return all
      .filter((status) => status?.role === 'leader')
      .reduce((a, b) => ((a?.term ?? -1) < (b?.term ?? -1) ? b : a), undefined);
  }

  /** All replicas answer, have a vote, and one leads. */
  async untilWhole(timeoutMs: number): Promise<void> {
    await until('all replicas up, with a vote, and a leader', timeoutMs, this.signal, async () => {
      const all = await Promise.all(this.replicas.map(({ id }) => this.status(id)));
      return all.every((status) => status?.voter === true) && all.some((status) => status?.role === 'leader');
    });
  }

  /** Where the replica's log ends now: what comes later can be told from what was there. */
  logMark(id: string): number {
    return statSync(join(this.replica(id).directory, 'log')).size;
  }

  logSince(id: string, mark: number): string {
    return readFileSync(join(this.replica(id).directory, 'log'))
      .subarray(mark)
      .toString('utf8');
  }

  logEnd(id: string): string {
    return logTail(this.replica(id).directory, LOG_LINES).replaceAll('\n', ' | ');
  }

  /** Ends every process. @returns the command lines of what is still there and names this directory: nothing */
  static async close(directory: string, stage: Stage | undefined): Promise<string[]> {
    for (const { id, client } of stage?.replicas ?? []) {
      client.close();
      // What they hold has been judged: nothing is gained by a graceful end, and an interruption should not take long.
      const pid = stage?.pid(id);
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
    }
    if (hasCluster(directory)) await down(directory);
    const deadline = performance.now() + GONE_TIMEOUT_MS;
    const never = new AbortController().signal;
    while (leftovers(directory).length > 0 && performance.now() < deadline) await pause(50, never);
    return leftovers(directory);
  }
}

/** Every process of the cluster names its own directory, or a file in it. */
function leftovers(directory: string): string[] {
  const lines: string[] = [];
  const isOurs = (line: string): boolean => /^(?:n|r|dp|w)\d/.test(line.split(`${directory}/`)[1] ?? '');
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    try {
      const line = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      if (isOurs(line)) lines.push(`${name}: ${line}`);
    } catch {
      // It ended while we looked.
    }
  }
  return lines;
}
