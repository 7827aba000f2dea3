/** Three replicas and a NATS server as real processes of a local cluster, with nobody beside them. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { down, stop, up, type ClusterView } from '../../cluster/local/local-cluster.ts';
import { getJson } from '../../cluster/local/readiness.ts';
import { topologyDefaults, type TopologyOptions } from '../../cluster/local/topology.ts';
import { BatonError } from '../../src/lib/errors.ts';

export interface ReplicaStatus {
  readonly id: string;
  readonly role: string;
  readonly term: number;
  readonly leader: string;
}

export interface Leader {
  readonly id: string;
  readonly term: number;
  readonly grpc: string;
}

const ELECTION_WAIT_MS = 60_000;
const SETTLE_MS = 1_000;

export class ReplicaSet {
  readonly directory: string;
  readonly view: ClusterView;

  private constructor(directory: string, view: ClusterView) {
    this.directory = directory;
    this.view = view;
  }

  /** Without data planes and workers unless `topology` asks for them and `keep` says so. */
  static async open(
    directory: string,
    say: (line: string) => void,
    topology: Partial<TopologyOptions> & { readonly keepAll?: boolean } = {},
  ): Promise<ReplicaSet> {
    const { keepAll = false, ...options } = topology;
    const view = await up(directory, { ...topologyDefaults, dataPlanes: 1, workers: 0, ...options }, say);
    if (!keepAll)
      await stop(
        directory,
        view.dataPlanes.map(({ id }) => id),
      );
    return new ReplicaSet(directory, view);
  }

  get natsPid(): number {
    return this.view.nats[0]?.pid ?? 0;
  }

  configOf(id: string): string {
    return join(this.directory, id, 'config.json');
  }

  logOf(id: string): string {
    return join(this.directory, id, 'log');
  }

  /** Of those that answer. */
  async statuses(isAsked: (id: string) => boolean = () => true): Promise<readonly ReplicaStatus[]> {
    const asked = this.view.replicas.filter(({ id }) => isAsked(id));
    const answers = await Promise.all(asked.map(({ http }) => getJson(`${http}/v1/replica`, undefined)));
    return answers.filter((answer) => answer !== undefined) as ReplicaStatus[];
  }

  /** The one of the highest term; undefined while nobody says that it leads. */
  async leaderAmong(isAsked: (id: string) => boolean = () => true): Promise<Leader | undefined> {
    const leading = (await this.statuses(isAsked))
      .filter(({ role }) => role === 'leader')
      .toSorted((a, b) => b.term - a.term)[0];
    const replica = this.view.replicas.find(({ id }) => id === leading?.id);
    if (leading === undefined || replica === undefined) return undefined;
    return { id: leading.id, term: leading.term, grpc: replica.grpc };
  }

  /** @throws BatonError `no-leader` */
  async leader(): Promise<Leader> {
    const deadline = performance.now() + ELECTION_WAIT_MS;
    for (;;) {
      const leader = await this.leaderAmong();
      if (leader !== undefined) return leader;
      if (performance.now() > deadline)
        throw new BatonError('no-leader', `no replica leads after ${ELECTION_WAIT_MS / 1_000} s`);
      await delay(20);
    }
  }

  /** Resolves with the leader once all replicas have named it for a while: one that is still starting can elect nobody. */
  async settled(): Promise<Leader> {
    const deadline = performance.now() + ELECTION_WAIT_MS;
    let named = '';
    let sinceMs = performance.now();
    for (;;) {
      const leaders = new Set((await this.statuses()).map(({ leader, term }) => `${leader} in term ${term}`));
      const [now = ''] = leaders;
      if (leaders.size !== 1 || now !== named || now.startsWith(' ')) sinceMs = performance.now();
      named = now;
      if (performance.now() - sinceMs >= SETTLE_MS) return this.leader();
      if (performance.now() > deadline)
        throw new BatonError('no-leader', 'the replicas follow no common leader for long', {
          hint: 'is the machine busy with other work?',
        });
      await delay(20);
    }
  }

  stopReplicas(): Promise<string[]> {
    return stop(
      this.directory,
      this.view.replicas.map(({ id }) => id),
    );
  }

  async close(): Promise<void> {
    await down(this.directory);
  }
}
