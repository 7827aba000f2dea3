/**
 * Where a history is played: by the production cores in the model cluster (cluster.ts), or by the production roles in the simulator's
 * world (roles/role-cluster.ts). Members have the same names, steps and promises are the same.
 */
import type { Cordon } from '../../../src/core/model/command.ts';
import type { FunctionRecord } from '../../../src/core/model/function.ts';
import {
  dataPlaneId,
  replicaId,
  workerId,
  type DataPlaneId,
  type ReplicaId,
  type WorkerId,
} from '../../../src/lib/ids.ts';
import type { Network } from './network.ts';
import type { Picture } from './picture.ts';
import type { SpecKnobs } from './registry.ts';
import type { Request } from './request.ts';

export const REPLICAS = 3;

export interface ClusterSize {
  readonly workers: number;
  readonly dataPlanes: number;
  /** NATS servers that members are spread over. */
  readonly servers: number;
}

/** How a leader goes. `cut off`: from the other replicas alone, for a second. `handed over`: as it does when it is stopped. */
export type Departure = 'dead' | 'frozen' | 'cut off' | 'handed over';

export interface Members {
  readonly replicaIds: readonly ReplicaId[];
  readonly workerIds: readonly WorkerId[];
  readonly dataPlaneIds: readonly DataPlaneId[];
}

/** `T`: what a call returns that takes virtual time; nothing, or a promise of nothing. Broken promises throw. */
export interface Stage<T> extends Members {
  readonly nowMs: number;
  readonly network: Network;
  /** Leaders that acted, after the first. */
  readonly failovers: number;
  /** Sandboxes, from the beginning on. */
  readonly startedCount: number;
  run(ms: number): T;
  endFaults(): void;
  /** What is registered, as committed. */
  functions(): readonly FunctionRecord[];
  /** Everybody's view of everything, now. */
  picture(): Picture;

  /**
   * Another leader than the present one acts when this is over, unless the bus is away for longer than that takes. The other
   * replicas are made fit to elect it; `leaderlessMs` is how long they hear nothing of one another.
   */
  failOver(how: Departure, leaderlessMs: number): T;
  startReplica(id: ReplicaId): void;
  killReplica(id: ReplicaId, how: 'dead' | 'frozen'): void;
  restartControlPlane(afterMs: number): void;
  /** SIGCONT for every leader of old: each takes itself for the leader for a moment, and says all that it has to say. */
  wakeZombies(): void;
  /** The connection of the leader that everything but Raft goes over. */
  leaderLosesBus(ms: number): void;
  /** NATS is gone, and back: for everyone at once. */
  blackOut(ms: number): void;

  startWorker(id: WorkerId): void;
  killWorker(id: WorkerId): void;
  startDataPlane(id: DataPlaneId): void;
  killDataPlane(id: DataPlaneId): void;
  /** One of those that run, if any do. */
  crashSandbox(which: number): void;
  failStarts(worker: WorkerId, times: number): void;

  register(name: string, knobs: SpecKnobs, how: { readonly trial: boolean; readonly insists: boolean }): void;
  unregister(name: string, insists: boolean): void;
  /** The first worker is left, so that there is always somewhere to go. */
  cordon(worker: WorkerId, cordon: Cordon): void;
  /** Undefined: the data plane is down. */
  call(name: string, dataPlane: DataPlaneId): Request | undefined;
}

/** What takes no virtual time to be waited for, to its end. */
export function finish<R>(story: Generator<void, R, void>): R {
  for (;;) {
    const { done, value } = story.next();
    if (done === true) return value;
  }
}

/** The same, where time passes in promises. */
export async function finishLater<R>(story: Generator<Promise<void>, R, void>): Promise<R> {
  for (;;) {
    const { done, value } = story.next();
    if (done === true) return value;
    await value;
  }
}

const numbered = <Id>(count: number, make: (n: number) => Id): Id[] =>
  Array.from({ length: count }, (_, i) => make(i + 1));

export function membersOf({ workers, dataPlanes }: ClusterSize): Members {
  return {
    replicaIds: numbered(REPLICAS, (n) => replicaId(`r${n}`)),
    workerIds: numbered(workers, (n) => workerId(`w${n}`)),
    dataPlaneIds: numbered(dataPlanes, (n) => dataPlaneId(`d${n}`)),
  };
}

/** The NATS server of a member, by its number. */
export function serverOf({ servers }: ClusterSize, id: string): string {
  return `n${(Number(id.replace(/\D+/, '')) - 1) % servers}`;
}
