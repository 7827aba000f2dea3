/**
 * The model cluster: production cores under virtual time, without promises, bytes or disks, so that a history is cheap to
 * run and a counterexample shrinks to a few lines. Raft is taken for granted: a leader is named by the script, with a term
 * of its own and the whole registry.
 */
import type { SandboxStatus } from '../../../src/core/model/sandbox.ts';
import {
  dataPlaneId,
  workerId,
  type DataPlaneId,
  type SandboxId,
  type WorkerId,
} from '../../../src/lib/ids.ts';
import { prng, type Prng } from '../../../src/lib/prng.ts';
import { EventQueue } from '../../sim/event-queue.ts';
import type { Running, World } from './cast.ts';
import { DataPlaneProcess, type TableContent } from './data-plane-process.ts';
import { LeaderProcess } from './leader-process.ts';
import { Network } from './network.ts';
import { Promises } from './promises.ts';
import { Registry, type SpecKnobs } from './registry.ts';
import { Request } from './request.ts';
import { newWorkerFile, WorkerProcess, type WorkerFile } from './worker-process.ts';

const SAVE_MS = 100;

export interface ClusterSize {
  readonly workers: number;
  readonly dataPlanes: number;
  /** NATS servers that members are spread over. */
  readonly servers: number;
}

interface WorkerSlot {
  readonly file: WorkerFile;
  process: WorkerProcess | undefined;
}

interface DataPlaneSlot {
  file: TableContent | undefined;
  process: DataPlaneProcess | undefined;
}

export class Cluster implements World {
  readonly queue: EventQueue = new EventQueue();
  readonly registry: Registry = new Registry();
  readonly network: Network;
  readonly promises: Promises;
  readonly workerIds: readonly WorkerId[];
  readonly dataPlaneIds: readonly DataPlaneId[];
  /** Who was elected last, while it lives. */
  leader: LeaderProcess | undefined;
  readonly requests: Request[] = [];
  readonly #size: ClusterSize;
  readonly #random: Prng;
  readonly #leaders = new Map<number, LeaderProcess>();
  readonly #workers: ReadonlyMap<string, WorkerSlot>;
  readonly #dataPlanes: ReadonlyMap<string, DataPlaneSlot>;
  #term = 0;
  #lives = 0;

  constructor(seed: number, size: ClusterSize) {
    this.#size = size;
    this.#random = prng(seed);
    this.network = new Network(this.queue, this.#random.fork('network'));
    this.promises = new Promises(this);
    this.workerIds = numbered(size.workers, (n) => workerId(`w${n}`));
    this.dataPlaneIds = numbered(size.dataPlanes, (n) => dataPlaneId(`d${n}`));
    this.#workers = new Map(this.workerIds.map((id) => [id, { file: newWorkerFile(), process: undefined }]));
    this.#dataPlanes = new Map(this.dataPlaneIds.map((id) => [id, { file: undefined, process: undefined }]));
    for (const id of this.workerIds) this.startWorker(id);
    for (const id of this.dataPlaneIds) this.startDataPlane(id);
    this.elect();
    this.#saveTables();
  }

  get nowMs(): number {
    return this.queue.nowMs;
  }

  run(ms: number): void {
    const untilMs = this.nowMs + ms;
    while (this.queue.runNext(untilMs));
  }

  endFaults(): void {
    this.network.healAll();
    this.leader?.restoreBus();
    for (const worker of this.liveWorkers()) worker.failingStarts = 0;
    for (const id of this.workerIds) this.startWorker(id);
    for (const id of this.dataPlaneIds) this.startDataPlane(id);
  }

  /** Until it has been at rest for a while. @returns what keeps it from that, if anything does */
  settle(withinMs: number, stillMs: number): string | undefined {
    const untilMs = this.nowMs + withinMs;
    let restedMs = 0;
    while (this.nowMs < untilMs && restedMs < stillMs) {
      this.run(100);
      restedMs = this.unsettled() === undefined ? restedMs + 100 : 0;
    }
    return this.unsettled();
  }

  /** Each function through each data plane. @returns those that failed */
  callEverything(): string[] {
    const calls = this.registry
      .list()
      .flatMap(({ spec }) => this.dataPlaneIds.map((id) => ({ id, request: this.call(spec.name, id) })));
    this.run(5_000);
    return calls
      .filter(({ request }) => request?.outcome !== 'ok')
      .map(
        ({ id, request }) => `${request?.name ?? 'unknown'} through ${id}: ${request?.outcome ?? 'no end'}`,
      );
  }

  // ---- leaders ------------------------------------------------------------------------------------------------------

  leaderOf(term: number): LeaderProcess | undefined {
    const leader = this.#leaders.get(term);
    return leader?.state === 'leading' ? leader : undefined;
  }

  /** The one before must be out of the way: dead, or frozen. */
  elect(): void {
    this.registry.noop();
    const leader = new LeaderProcess(this, ++this.#term);
    this.#leaders.set(this.#term, leader);
    this.leader = leader;
    leader.start();
  }

  depose(how: 'dead' | 'frozen'): void {
    if (this.leader !== undefined) this.leader.state = how;
    this.leader = undefined;
  }

  /** SIGCONT for every leader of old: each takes itself for the leader for a moment, and says all that it has to say. */
  wakeZombies(): void {
    for (const leader of this.#leaders.values()) {
      if (leader.state !== 'frozen') continue;
      leader.state = 'leading';
      leader.announce();
      this.queue.after(150, () => {
        leader.state = 'dead';
      });
    }
  }

  // ---- members ------------------------------------------------------------------------------------------------------

  worker(id: string): WorkerProcess | undefined {
    return this.#workers.get(id)?.process;
  }

  dataPlane(id: string): DataPlaneProcess | undefined {
    return this.#dataPlanes.get(id)?.process;
  }

  liveWorkers(): WorkerProcess[] {
    return this.workerIds.flatMap((id) => this.worker(id) ?? []);
  }

  liveDataPlanes(): DataPlaneProcess[] {
    return this.dataPlaneIds.flatMap((id) => this.dataPlane(id) ?? []);
  }

  startWorker(id: WorkerId): void {
    const slot = this.#workers.get(id);
    if (slot === undefined || slot.process !== undefined) return;
    slot.process = new WorkerProcess(this, id, this.#server(id), slot.file, this.#life(id));
  }

  killWorker(id: WorkerId): void {
    const slot = this.#workers.get(id);
    slot?.process?.kill();
    if (slot !== undefined) slot.process = undefined;
  }

  startDataPlane(id: DataPlaneId): void {
    const slot = this.#dataPlanes.get(id);
    if (slot === undefined || slot.process !== undefined) return;
    const random = this.#life(id);
    slot.process = new DataPlaneProcess(this, id, this.#server(id), this.#lives, random, slot.file);
  }

  killDataPlane(id: DataPlaneId): void {
    const slot = this.#dataPlanes.get(id);
    slot?.process?.kill();
    if (slot !== undefined) slot.process = undefined;
  }

  #life(id: string): Prng {
    return this.#random.fork(`${id}/${++this.#lives}`);
  }

  #server(id: string): string {
    return `n${(Number(id.slice(1)) - 1) % this.#size.servers}`;
  }

  /** Written behind, as the role does: what was changed in the last moment is lost with the process. */
  #saveTables(): void {
    for (const slot of this.#dataPlanes.values())
      if (slot.process?.specs.synced === true) slot.file = slot.process.save();
    this.queue.after(SAVE_MS, () => this.#saveTables());
  }

  // ---- what users do ------------------------------------------------------------------------------------------------

  register(name: string, knobs: SpecKnobs, trial: boolean): void {
    const { leader } = this;
    if (leader === undefined) return;
    const spec = this.registry.spec(name, knobs);
    if (trial) return leader.tryFirst(spec);
    const record = this.registry.put(spec);
    leader.applied(record.uid, record);
  }

  unregister(name: string): void {
    if (this.leader === undefined) return;
    const record = this.registry.delete(name);
    if (record !== undefined) this.leader.applied(record.uid, undefined);
  }

  /** NATS is gone, and back: for everyone at once. */
  blackOut(ms: number): void {
    const members = [...this.workerIds, ...this.dataPlaneIds];
    this.leader?.loseBus(ms);
    for (const id of members) this.network.cut(id, ['in', 'out']);
    this.queue.after(ms, () => {
      for (const id of members) this.network.heal(id);
    });
  }

  /** The first worker is left, so that there is always somewhere to go. */
  cordon(worker: WorkerId, on: boolean): void {
    if (worker !== this.workerIds[0])
      this.leader?.hear((brain, nowMs) => void brain.cordon(worker, on, nowMs));
  }

  /** Undefined: the data plane is down, or does not know the name. */
  call(name: string, dataPlane: DataPlaneId): Request | undefined {
    const request = new Request(name);
    if (this.dataPlane(dataPlane)?.call(request) !== true) return undefined;
    this.requests.push(request);
    return request;
  }

  // ---- the truth ----------------------------------------------------------------------------------------------------

  workerOf(sandbox: SandboxId): WorkerProcess | undefined {
    return this.liveWorkers().find(({ core }) => core.sandboxes.has(sandbox));
  }

  status(sandbox: SandboxId): SandboxStatus | undefined {
    return this.workerOf(sandbox)?.core.sandboxes.get(sandbox);
  }

  running(sandbox: SandboxId): Running | undefined {
    return this.liveWorkers()
      .find(({ running }) => running.has(sandbox))
      ?.running.get(sandbox);
  }

  /** R1, R5 and R6: what keeps the cluster from being at rest and of one mind; undefined when it is. */
  unsettled(): string | undefined {
    const { leader, registry } = this;
    if (leader === undefined) return 'there is no leader';
    if (!leader.brain.isReconciled) return 'reconstruction is not closed';
    const open = this.requests.filter(({ outcome }) => outcome === undefined).length;
    if (open > 0) return `${open} requests have not ended`;
    const truth = this.liveWorkers().flatMap(({ core }) => [...core.sandboxes.values()]);
    const unready = truth.filter(({ state }) => state !== 'ready');
    if (unready.length > 0)
      return `workers have ${unready.map(({ id, state }) => `${id} ${state}`).join(', ')}`;
    for (const { uid, generation, spec } of registry.list()) {
      const ready = truth.filter((status) => status.uid === uid && status.generation === generation);
      if (ready.length !== spec.scaling.min)
        return `${spec.name} has ${ready.length} sandboxes of generation ${generation} and should have ${spec.scaling.min}`;
    }
    const ids = names(truth.map(({ id }) => id));
    const table = names(
      leader.brain.sandboxes().map(({ id, state }) => `${id}${state === 'ready' ? '' : ` ${state}`}`),
    );
    if (ids !== table) return `R1: the workers have [${ids}], the leader has [${table}]`;
    for (const { id, table: own, specs } of this.liveDataPlanes()) {
      const held = names(own.endpoints().map(({ sandbox }) => sandbox));
      if (held !== ids) return `R1: the workers have [${ids}], ${id} has [${held}]`;
      if (own.unconfirmed > 0) return `${id} has ${own.unconfirmed} unconfirmed endpoints`;
      const known = names(specs.save().functions.map(describe));
      const registered = names(registry.list().map(describe));
      if (known !== registered) return `R5: registered are [${registered}], ${id} knows [${known}]`;
    }
    return undefined;
  }
}

function numbered<T>(count: number, make: (n: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => make(i + 1));
}

function names(list: readonly string[]): string {
  return [...list].sort().join(' ');
}

function describe({
  spec,
  generation,
}: {
  readonly spec: { readonly name: string };
  readonly generation: number;
}): string {
  return `${spec.name}/${generation}`;
}
