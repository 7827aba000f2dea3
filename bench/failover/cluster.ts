/** The cluster that loses its leaders: real processes, their settings the defaults but for what a flag of the benchmark says. */
import { readFileSync, writeFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createCluster, down } from '../../cluster/local/local-cluster.ts';
import { memberOf, membersOf, prepareMember, type Member } from '../../cluster/local/members.ts';
import { logTail, processOf, startDetached } from '../../cluster/local/processes.ts';
import { acceptsConnections, getJson, missingToServe } from '../../cluster/local/readiness.ts';
import { topologyDefaults } from '../../cluster/local/topology.ts';
import { provision } from '../../cluster/provision/provision.ts';
import { ApiClient } from '../../src/api/client.ts';
import type { LocalCluster } from '../../src/config/cluster.ts';
import { BatonError } from '../../src/lib/errors.ts';
import { readMetrics, total } from '../scale/metrics.ts';
import { ARTIFACT, ARTIFACT_DIGEST } from '../replica/registrations.ts';

export type Hint = 'advisory' | 'probe';

export interface ReplicaView {
  readonly id: string;
  readonly role: string;
  readonly term: number;
  readonly leader: string;
  readonly voter: boolean;
  readonly appliedIndex: number;
  readonly stateHash: string;
}

const START_TIMEOUT_MS = 60_000;
const POLL_MS = 20;
const REGISTERED_AT_ONCE = 32;
/** As many as may be alive at once, with room: the longest that a cold function lives is some ten seconds. */
const SANDBOXES_PER_WORKER = 4_000;
const WORKERS = 2;
const SMALL = { cpuMillis: 1, memoryMiB: 1 };
const LOG_LINES = 5;

export class FailoverCluster {
  readonly directory: string;
  readonly #cluster: LocalCluster;
  readonly #natsServer: string;
  readonly #hints: readonly Hint[];

  private constructor(directory: string, cluster: LocalCluster, natsServer: string, hints: readonly Hint[]) {
    this.directory = directory;
    this.#cluster = cluster;
    this.#natsServer = natsServer;
    this.#hints = hints;
  }

  /** Three replicas, two data planes, two workers whose sandboxes start in 0 ms, one NATS server. Resolves when it serves. */
  static async open(
    directory: string,
    hints: readonly Hint[],
    say: (line: string) => void,
  ): Promise<FailoverCluster> {
    const { path } = await provision('nats-server', say);
    const topology = { ...topologyDefaults, workers: WORKERS, runtime: 'simulated', startMs: 0 } as const;
    const cluster = await createCluster(directory, topology, path, say);
    const opened = new FailoverCluster(directory, cluster, path, hints);
    await opened.#start(say);
    return opened;
  }

  async #start(say: (line: string) => void): Promise<void> {
    const members = membersOf(this.directory, this.#cluster);
    say(`starting ${members.map(({ id }) => id).join(', ')} …`);
    for (const { id, kind } of members) {
      this.launch(id);
      if (kind === 'nats') await this.#untilListening(this.#cluster.nats[0]?.port ?? 0);
    }
    await until('the cluster serves', START_TIMEOUT_MS, async () => {
      for (const { id } of members) this.pidOf(id);
      return (await missingToServe(this.#cluster)).length === 0 || undefined;
    });
  }

  #untilListening(port: number): Promise<unknown> {
    return until('the NATS server listens', START_TIMEOUT_MS, async () => {
      return (await acceptsConnections(this.#cluster.host, port)) || undefined;
    });
  }

  /** Of a replica: below 0, it comes before other processes. */
  niceness(): number {
    const pid = processOf(this.#member(this.#cluster.replicas[0]?.id ?? '').directory)?.pid;
    return pid === undefined ? 0 : getPriority(pid);
  }

  #member(id: string): Member {
    return memberOf(this.directory, this.#cluster, id);
  }

  /** Resolves at once: it may not serve yet. */
  launch(id: string): void {
    const member = this.#member(id);
    const command = prepareMember(member, this.#cluster, this.#natsServer);
    this.#configure(member);
    startDetached(member.directory, command);
  }

  #configure({ kind, directory }: Member): void {
    const own = this.#settingsOf(kind);
    if (own === undefined) return;
    const path = join(directory, 'config.json');
    const config = JSON.parse(readFileSync(path, 'utf8')) as object;
    writeFileSync(path, JSON.stringify({ ...config, ...own }));
  }

  /** Workers put every command that they obey on the record, with its fence. */
  #settingsOf(kind: Member['kind']): object | undefined {
    if (kind === 'replica') return { raft: { hints: this.#hints } };
    const capacity = { cpuMillis: 1_000_000, memoryMiB: 1_000_000, sandboxes: SANDBOXES_PER_WORKER };
    if (kind === 'worker') return { capacity, log: { level: 'debug' } };
    return undefined;
  }

  /** @throws BatonError when it does not run */
  pidOf(id: string): number {
    const { directory } = this.#member(id);
    const pid = processOf(directory)?.pid;
    if (pid !== undefined) return pid;
    throw new BatonError('unavailable', `${id} ended: ${logTail(directory, LOG_LINES)}`);
  }

  isRunning(id: string): boolean {
    return processOf(this.#member(id).directory) !== undefined;
  }

  logOf(id: string): string {
    return join(this.#member(id).directory, 'log');
  }

  get replicas(): readonly string[] {
    return this.#cluster.replicas.map(({ id }) => id);
  }

  get dataPlanes(): readonly { readonly id: string; readonly url: string }[] {
    const { host, dataPlanes } = this.#cluster;
    return dataPlanes.map(({ id, caller }) => ({ id, url: `http://${host}:${caller}` }));
  }

  get workers(): readonly string[] {
    return this.#cluster.workers.map(({ id }) => id);
  }

  #httpOf(replica: string): string {
    const http = this.#cluster.replicas.find(({ id }) => id === replica)?.http ?? 0;
    return `http://${this.#cluster.host}:${http}`;
  }

  /** Undefined when it does not answer. */
  async view(replica: string): Promise<ReplicaView | undefined> {
    return (await getJson(`${this.#httpOf(replica)}/v1/replica`, undefined)) as ReplicaView | undefined;
  }

  views(): Promise<(ReplicaView | undefined)[]> {
    return Promise.all(this.replicas.map((id) => this.view(id)));
  }

  async isReconciled(leader: string): Promise<boolean> {
    return total(await readMetrics(this.#httpOf(leader)), 'baton_reconciled') === 1;
  }

  /** Messages under a lower fence that the data planes refused. */
  async fencedMessages(): Promise<number> {
    const counts = await Promise.all(
      this.dataPlanes.map(async ({ url }) =>
        total(await readMetrics(url), 'baton_data_plane_fenced_messages_total'),
      ),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** Registers functions that go to zero as soon as they may, and functions that always have two sandboxes. */
  async register(cold: readonly string[], warm: readonly string[]): Promise<void> {
    const { host, replicas, tokens } = this.#cluster;
    const servers = replicas.map(({ grpc }) => `${host}:${grpc}`);
    const client = new ApiClient({ servers, token: tokens.api, timeoutMs: START_TIMEOUT_MS });
    try {
      await client.upload(ARTIFACT, ARTIFACT_DIGEST);
      const documents = [
        ...cold.map((name) => ({ name, min: 0, stableWindowMs: 1_000, scaleToZeroGraceMs: 0 })),
        ...warm.map((name) => ({ name, min: 2 })),
      ];
      const left = documents.values();
      const register = async (): Promise<void> => {
        for (const document of left) {
          await client.putFunction(
            { ...document, artifact: ARTIFACT_DIGEST, entry: 'index.mjs', resources: SMALL },
            { ifGeneration: undefined, trial: false },
          );
        }
      };
      await Promise.all(Array.from({ length: REGISTERED_AT_ONCE }, register));
    } finally {
      client.close();
    }
  }

  async close(): Promise<void> {
    // Gracefully they would hand over and drain: nothing is gained by it.
    for (const { directory } of membersOf(this.directory, this.#cluster)) {
      const pid = processOf(directory)?.pid;
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
    }
    await down(this.directory);
  }
}

/** Level-triggered. @throws BatonError `timeout` */
export async function until<T>(
  what: string,
  timeoutMs: number,
  look: () => Promise<T | undefined>,
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadlineMs)
      throw new BatonError('timeout', `${what}: not within ${timeoutMs} ms`);
    await delay(POLL_MS);
  }
}
