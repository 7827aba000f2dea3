/** A cluster with thousands of simulated workers in one process beside it, and sandboxes on all of them. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ApiClient } from '../../src/api/client.ts';
import { BatonError } from '../../src/lib/errors.ts';
import type { Bench } from '../lib/program.ts';
import { ReplicaSet } from '../lib/replica-set.ts';
import { ARTIFACT, ARTIFACT_DIGEST } from '../replica/registrations.ts';
import { readMetrics, total, type Metrics } from './metrics.ts';

export interface FleetSize {
  readonly workers: number;
  readonly sandboxes: number;
}

/** Functions that are called in the failover, each once: from zero. */
export const COLD_FUNCTIONS = 400;
const PER_FUNCTION = 100;
/** Registered before the leader has started what was registered before them. */
const AHEAD = 1_000;
const FILL_LIMIT_MS = 420_000;
const POLL_MS = 100;
const CALL_TIMEOUT_MS = 30_000;

/** Whose CPU is told. */
export type Busy = 'leader' | 'dataPlane' | 'workers' | 'nats';

export const coldFunction = (i: number): string => `cold-${i}`;

export class Fleet {
  readonly replicas: ReplicaSet;
  readonly size: FleetSize;

  private constructor(replicas: ReplicaSet, size: FleetSize) {
    this.replicas = replicas;
    this.size = size;
  }

  static async open(bench: Bench, size: FleetSize): Promise<Fleet> {
    const replicas = await ReplicaSet.open(join(bench.directory, `fleet-${size.workers}`), bench.say, {
      workers: 1,
      dataPlanes: 1,
      fleet: size.workers,
      runtime: 'simulated',
      startMs: 5,
      keepAll: true,
    });
    bench.atEnd(() => replicas.close());
    return new Fleet(replicas, size);
  }

  get dataPlaneUrl(): string {
    return this.replicas.view.dataPlanes[0]?.url ?? '';
  }

  httpOf(replica: string): string {
    return this.replicas.view.replicas.find(({ id }) => id === replica)?.http ?? '';
  }

  pidOf(replica: string): number {
    return this.replicas.view.replicas.find(({ id }) => id === replica)?.pid ?? 0;
  }

  pidsUnder(leaderHttp: string): Record<Busy, number> {
    const { replicas, dataPlanes, workers, nats } = this.replicas.view;
    return {
      leader: replicas.find(({ http }) => http === leaderHttp)?.pid ?? 0,
      dataPlane: dataPlanes[0]?.pid ?? 0,
      workers: workers[0]?.pid ?? 0,
      nats: nats[0]?.pid ?? 0,
    };
  }

  async leaderMetrics(): Promise<Metrics | undefined> {
    const leader = await this.replicas.leader();
    return readMetrics(this.httpOf(leader.id));
  }

  dataPlaneMetrics(): Promise<Metrics | undefined> {
    return readMetrics(this.dataPlaneUrl);
  }

  /** Registers functions that want a hundred sandboxes each, no faster than the leader starts them. */
  async fill(bench: Bench): Promise<void> {
    const { sandboxes } = this.size;
    const servers = this.replicas.view.replicas.map(({ grpc }) => grpc);
    const client = new ApiClient({ servers, token: undefined, timeoutMs: CALL_TIMEOUT_MS });
    try {
      await client.upload(ARTIFACT, ARTIFACT_DIGEST);
      for (let i = 0; i < COLD_FUNCTIONS; i++) await register(client, coldFunction(i), 0);
      for (let wanted = 0; wanted < sandboxes; wanted += PER_FUNCTION) {
        const count = Math.min(PER_FUNCTION, sandboxes - wanted);
        await register(client, `warm-${wanted / PER_FUNCTION}`, count);
        await this.untilReady(wanted + count - AHEAD, bench);
      }
      await this.untilReady(sandboxes, bench);
    } finally {
      client.close();
    }
  }

  /** @throws BatonError `timeout` */
  async untilReady(wanted: number, bench: Bench): Promise<void> {
    const deadlineMs = performance.now() + FILL_LIMIT_MS;
    for (let said = 0; wanted > 0;) {
      const ready = total(await this.leaderMetrics(), 'baton_sandboxes_ready');
      if (ready >= wanted) return;
      if (performance.now() > deadlineMs)
        throw new BatonError('timeout', `${ready} sandboxes are ready, of ${wanted}`);
      if (performance.now() - said > 5_000) {
        said = performance.now();
        bench.say(`${ready} of ${this.size.sandboxes} sandboxes on ${this.size.workers} workers`);
      }
      await delay(POLL_MS);
    }
  }
}

async function register(client: ApiClient, name: string, min: number): Promise<void> {
  const document = {
    name,
    runtime: 'javascript',
    artifact: ARTIFACT_DIGEST,
    entry: 'index.mjs',
    min,
    resources: { cpuMillis: 10, memoryMiB: 16 },
  };
  await client.putFunction(document, { ifGeneration: undefined, trial: false });
}
