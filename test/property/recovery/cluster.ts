/**
 * The model cluster: production cores under virtual time, without promises, bytes or sockets, so that a history is cheap to run
 * and a counterexample shrinks to a few lines.
 */
import type { Cordon } from '../../../src/core/model/command.ts';
import type { FunctionRecord } from '../../../src/core/model/function.ts';
import type { SandboxStatus } from '../../../src/core/model/sandbox.ts';
import {
  functionName,
  type DataPlaneId,
  type ReplicaId,
  type SandboxId,
  type WorkerId,
} from '../../../src/lib/ids.ts';
import { prng, type Prng } from '../../../src/lib/prng.ts';
import { EventQueue } from '../../sim/event-queue.ts';
import { blankDisk, type Disk } from '../raft/disk.ts';
import type { Running, World } from './cast.ts';
import { DataPlaneProcess, type TableContent } from './data-plane-process.ts';
import type { LeaderProcess } from './leader-process.ts';
import { Network } from './network.ts';
import { names, type Picture } from './picture.ts';
import { Promises } from './promises.ts';
import { Registrar } from './registrar.ts';
import { Registry, type SpecKnobs } from './registry.ts';
import { ReplicaProcess } from './replica-process.ts';
import { Request } from './request.ts';
import { membersOf, serverOf, type ClusterSize, type Departure, type Stage } from './stage.ts';
import { newWorkerFile, WorkerProcess, type WorkerFile } from './worker-process.ts';

const SAVE_MS = 100;
const ADVISORY_MS = 4;
/** A leader is there by then, when a majority is. */
const ELECTED_MS = 10_000;
const HANDED_OVER_MS = 1_000;

interface ReplicaSlot {
  readonly disk: Disk;
  process: ReplicaProcess | undefined;
}

interface WorkerSlot {
  readonly file: WorkerFile;
  process: WorkerProcess | undefined;
}

interface DataPlaneSlot {
  file: TableContent | undefined;
  process: DataPlaneProcess | undefined;
}

export class Cluster implements World, Stage<void> {
  readonly queue: EventQueue = new EventQueue();
  readonly registry: Registry = new Registry();
  readonly registrar: Registrar;
  readonly network: Network;
  readonly promises: Promises;
  readonly replicaIds: readonly ReplicaId[];
  readonly workerIds: readonly WorkerId[];
  readonly dataPlaneIds: readonly DataPlaneId[];
  readonly requests: Request[] = [];
  readonly #size: ClusterSize;
  readonly #random: Prng;
  readonly #leaders = new Map<number, LeaderProcess>();
  readonly #replicas: ReadonlyMap<string, ReplicaSlot>;
  readonly #workers: ReadonlyMap<string, WorkerSlot>;
  readonly #dataPlanes: ReadonlyMap<string, DataPlaneSlot>;
  #lives = 0;

  constructor(seed: number, size: ClusterSize) {
    this.#size = size;
    this.#random = prng(seed);
    this.network = new Network(this.queue, this.#random.fork('network'));
    this.registrar = new Registrar({
      queue: this.queue,
      leader: () => this.leader,
      lifeOf: (id) => this.dataPlane(id)?.incarnation.ms,
    });
    this.promises = new Promises(this, this.registrar.mutations);
    ({
      replicaIds: this.replicaIds,
      workerIds: this.workerIds,
      dataPlaneIds: this.dataPlaneIds,
    } = membersOf(size));
    this.#replicas = new Map(this.replicaIds.map((id) => [id, { disk: blankDisk(), process: undefined }]));
    this.#workers = new Map(this.workerIds.map((id) => [id, { file: newWorkerFile(), process: undefined }]));
    this.#dataPlanes = new Map(this.dataPlaneIds.map((id) => [id, { file: undefined, process: undefined }]));
    for (const id of this.workerIds) this.startWorker(id);
    for (const id of this.dataPlaneIds) this.startDataPlane(id);
    for (const id of this.replicaIds) this.startReplica(id);
    this.#awaitLeader(() => this.leader !== undefined);
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
    this.#everyoneReconnects();
    for (const worker of this.liveWorkers()) worker.failingStarts = 0;
    for (const id of this.replicaIds) this.startReplica(id);
    for (const id of this.workerIds) this.startWorker(id);
    for (const id of this.dataPlaneIds) this.startDataPlane(id);
  }

  // ---- leaders ------------------------------------------------------------------------------------------------------

  /** Who was elected last, while it lives. */
  get leader(): LeaderProcess | undefined {
    let last: LeaderProcess | undefined;
    for (const { process } of this.#replicas.values())
      if (process?.leading !== undefined && process.leading.fence.term > (last?.fence.term ?? 0))
        last = process.leading;
    return last;
  }

  leaderOf(term: number): LeaderProcess | undefined {
    const leader = this.#leaders.get(term);
    return leader?.isAwake === true ? leader : undefined;
  }

  get failovers(): number {
    return Math.max(0, this.#leaders.size - 1);
  }

  failOver(how: Departure, leaderlessMs: number): void {
    const before = this.leader?.fence.term ?? 0;
    const old = this.#replicaOf(this.leader);
    for (const id of this.replicaIds) {
      this.startReplica(id);
      this.network.heal(id);
      for (const other of this.replicaIds) this.network.join(id, other);
    }
    if (old !== undefined) this.#depart(old, how);
    if (leaderlessMs > 0 && how !== 'handed over') {
      this.network.silenceRaft(leaderlessMs);
      this.run(leaderlessMs);
    }
    if (old !== undefined && how === 'dead') this.#advise(old.id);
    const isThere = (): boolean => (this.leader?.fence.term ?? 0) > before;
    // A transfer gives up when its messages are lost; whoever stops a replica stops it all the same.
    if (how === 'handed over' && !this.#awaitLeader(isThere, HANDED_OVER_MS) && old !== undefined)
      this.killReplica(old.id, 'dead');
    this.#awaitLeader(isThere);
    if (old !== undefined) this.startReplica(old.id);
  }

  #replicaOf(leader: LeaderProcess | undefined): ReplicaProcess | undefined {
    return leader === undefined ? undefined : this.#replicas.get(leader.host)?.process;
  }

  #depart(old: ReplicaProcess, how: Departure): void {
    if (how === 'handed over' && old.transferLeadership()) return;
    if (how !== 'cut off') return this.killReplica(old.id, how === 'frozen' ? 'frozen' : 'dead');
    const others = this.replicaIds.filter((id) => id !== old.id);
    for (const other of others) {
      this.network.part(old.id, other);
      this.network.part(other, old.id);
    }
    this.queue.after(1_000, () => {
      for (const other of others) this.network.join(old.id, other);
    });
  }

  /** False: not in time. */
  #awaitLeader(isThere: () => boolean, withinMs = ELECTED_MS): boolean {
    const untilMs = this.nowMs + withinMs;
    while (!isThere() && this.queue.runNext(untilMs));
    return isThere();
  }

  /** The server saw its connection close. */
  #advise(gone: ReplicaId): void {
    for (const id of this.replicaIds)
      this.queue.after(ADVISORY_MS, () => {
        if (this.network.hasBus) this.#replicas.get(id)?.process?.onGone(gone);
      });
  }

  wakeZombies(): void {
    for (const leader of this.#leaders.values()) leader.wake();
  }

  // ---- members ------------------------------------------------------------------------------------------------------

  replica(id: string): ReplicaProcess | undefined {
    return this.#replicas.get(id)?.process;
  }

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

  startReplica(id: ReplicaId): void {
    const slot = this.#replicas.get(id);
    if (slot === undefined || slot.process !== undefined) return;
    const random = this.#life(id);
    const onElected = (leader: LeaderProcess): void => void this.#leaders.set(leader.fence.term, leader);
    slot.process = new ReplicaProcess(this, id, this.#lives, slot.disk, random, onElected);
  }

  killReplica(id: ReplicaId, how: 'dead' | 'frozen'): void {
    const slot = this.#replicas.get(id);
    slot?.process?.kill(how);
    if (slot !== undefined) slot.process = undefined;
  }

  restartControlPlane(afterMs: number): void {
    for (const id of this.replicaIds) this.killReplica(id, 'dead');
    this.queue.after(afterMs, () => {
      for (const id of this.replicaIds) this.startReplica(id);
    });
  }

  startWorker(id: WorkerId): void {
    const slot = this.#workers.get(id);
    if (slot === undefined || slot.process !== undefined) return;
    slot.process = new WorkerProcess(this, id, this.server(id), slot.file, this.#life(id));
  }

  killWorker(id: WorkerId): void {
    const slot = this.#workers.get(id);
    slot?.process?.kill();
    if (slot !== undefined) slot.process = undefined;
  }

  crashSandbox(which: number): void {
    const all = this.liveWorkers().flatMap((worker) =>
      [...worker.running.keys()].map((id) => ({ worker, id })),
    );
    const struck = all[which % all.length];
    struck?.worker.crash(struck.id);
  }

  failStarts(id: WorkerId, times: number): void {
    const worker = this.worker(id);
    if (worker !== undefined) worker.failingStarts = times;
  }

  startDataPlane(id: DataPlaneId): void {
    const slot = this.#dataPlanes.get(id);
    if (slot === undefined || slot.process !== undefined) return;
    const random = this.#life(id);
    slot.process = new DataPlaneProcess(this, id, this.server(id), this.#lives, random, slot.file);
  }

  killDataPlane(id: DataPlaneId): void {
    const slot = this.#dataPlanes.get(id);
    slot?.process?.kill();
    if (slot !== undefined) slot.process = undefined;
  }

  #life(id: string): Prng {
    return this.#random.fork(`${id}/${++this.#lives}`);
  }

  readonly server = (id: string): string => serverOf(this.#size, id);

  /** Written behind, as the role does: what was changed in the last moment is lost with the process. */
  #saveTables(): void {
    for (const slot of this.#dataPlanes.values())
      if (slot.process?.specs.synced === true) slot.file = slot.process.save();
    this.queue.after(SAVE_MS, () => this.#saveTables());
  }

  // ---- what users do ------------------------------------------------------------------------------------------------

  register(
    name: string,
    knobs: SpecKnobs,
    how: { readonly trial: boolean; readonly insists: boolean },
  ): void {
    this.registrar.put(this.registry.spec(name, knobs), how);
  }

  unregister(name: string, insists: boolean): void {
    this.registrar.delete(functionName(name), insists);
  }

  leaderLosesBus(ms: number): void {
    const replica = this.#replicaOf(this.leader);
    replica?.setBulk(false);
    this.queue.after(ms, () => {
      if (this.network.hasBus) replica?.setBulk(true);
    });
  }

  blackOut(ms: number): void {
    this.network.busAway();
    for (const { process } of this.#replicas.values()) process?.setBulk(false);
    this.queue.after(ms, () => {
      if (this.network.busBack()) this.#everyoneReconnects();
    });
  }

  #everyoneReconnects(): void {
    for (const { process } of this.#replicas.values()) process?.setBulk(true);
    for (const worker of this.liveWorkers()) worker.reconnect();
  }

  cordon(worker: WorkerId, cordon: Cordon): void {
    if (worker !== this.workerIds[0])
      this.leader?.act((brain, nowMs) => void brain.cordon(worker, cordon, nowMs));
  }

  call(name: string, dataPlane: DataPlaneId): Request | undefined {
    const request = new Request(name, this.nowMs);
    if (this.dataPlane(dataPlane)?.call(request) !== true) return undefined;
    this.requests.push(request);
    return request;
  }

  // ---- the truth ----------------------------------------------------------------------------------------------------

  get startedCount(): number {
    return this.promises.started.size;
  }

  functions(): readonly FunctionRecord[] {
    return this.registry.list();
  }

  picture(): Picture {
    const { leader } = this;
    const { mutations } = this.registrar;
    const workers = this.liveWorkers();
    return {
      leader: leader && { isReconciled: leader.brain.isReconciled, sandboxes: leader.brain.sandboxes() },
      openRequests: this.requests.filter(({ outcome }) => outcome === undefined).length,
      openOperations: mutations.open,
      functions: this.functions(),
      possible: (name) => mutations.possible(name),
      truth: workers.flatMap(({ core }) => [...core.sandboxes.values()]),
      drained: workers
        .filter(({ core }) => core.isDraining)
        .map(({ id, core }) => ({ id, sandboxes: [...core.sandboxes.keys()] })),
      registered: names(this.functions().map(describe)),
      dataPlanes: this.liveDataPlanes().map(({ id, table, specs }) => ({
        id,
        endpoints: table.endpoints().map(({ sandbox }) => sandbox),
        unconfirmed: table.unconfirmed,
        registered: names(specs.save().functions.map(describe)),
      })),
      otherwise: undefined,
    };
  }

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
}

function describe({ spec, generation }: Pick<FunctionRecord, 'spec' | 'generation'>): string {
  return `${spec.name}/${generation}`;
}
