/** R2–R5, R7, owners and the hard limit, checked where each could break. A broken promise throws at once. */
import type { EndpointBatch, EndpointChange, EndpointSnapshot } from '../../../src/core/model/broadcast.ts';
import type { CommandEnvelope } from '../../../src/core/model/command.ts';
import { compareFence, NO_FENCE, type Fence } from '../../../src/core/model/fence.ts';
import type { FunctionSpec } from '../../../src/core/model/function.ts';
import type { MetadataCommand } from '../../../src/core/model/metadata.ts';
import { isSameOwner, type Endpoint, type SandboxOwner } from '../../../src/core/model/sandbox.ts';
import type { ReplicaId, SandboxId, WorkerId } from '../../../src/lib/ids.ts';
import type { DataPlaneMember, LeaderMember, Running, WorkerMember, Witness, World } from './cast.ts';
import { SUSPICION_MS } from './timing.ts';
import type { Mutations } from './mutations.ts';
import { versionOf } from './registry.ts';
import type { Request } from './request.ts';

export class Promises implements Witness {
  readonly #world: World;
  readonly #mutations: Mutations;
  /** The highest fence that each worker has seen, in whatever life, and each life of a data plane. */
  readonly #seen = new Map<WorkerId, Fence>();
  readonly #shown = new WeakMap<DataPlaneMember, Fence>();
  readonly started: Set<SandboxId> = new Set();
  /** Whose requests each sandbox with a hard limit has had. */
  readonly #owners = new Map<SandboxId, SandboxOwner>();
  /** Left out of a complete snapshot by a leader to whom their worker was dead by then, however late it comes. */
  readonly #omitted = new WeakMap<LeaderMember, Set<SandboxId>>();
  /** Commands that were looked at when they were sent for the first time. */
  readonly #judged = new Set<string>();

  constructor(world: World, mutations: Mutations) {
    this.#world = world;
    this.#mutations = mutations;
  }

  broken(promise: string): never {
    throw new Error(`at ${this.#world.nowMs.toFixed(1)} ms: ${promise}`);
  }

  // ---- R3 -----------------------------------------------------------------------------------------------------------

  onStart(sandbox: SandboxId): void {
    if (this.started.has(sandbox)) this.broken(`R3: ${sandbox} is started twice`);
    this.started.add(sandbox);
  }

  // ---- R4 -----------------------------------------------------------------------------------------------------------

  onWorkerSees(worker: WorkerId, fence: Fence): void {
    const known = this.#seen.get(worker) ?? NO_FENCE;
    if (compareFence(fence, known) > 0) this.#seen.set(worker, fence);
  }

  onCommandApplied(worker: WorkerMember, { fence, command }: CommandEnvelope): void {
    const seen = this.#seen.get(worker.id) ?? NO_FENCE;
    if (compareFence(fence, seen) < 0)
      this.broken(
        `R4: ${worker.id} applies a ${command.kind} of term ${fence.term} after it saw ${seen.term}`,
      );
  }

  #onTableFence(dataPlane: DataPlaneMember, fence: Fence): void {
    const shown = this.#shown.get(dataPlane) ?? NO_FENCE;
    if (compareFence(fence, shown) < 0)
      this.broken(`R4: ${dataPlane.id} takes in what term ${fence.term} says after it heard ${shown.term}`);
    this.#shown.set(dataPlane, fence);
  }

  // ---- R5 -----------------------------------------------------------------------------------------------------------

  onApplied(replica: ReplicaId, index: number, command: MetadataCommand): void {
    if (!this.#world.registry.onApplied(index, command))
      this.broken(`R5: ${replica} applies another entry ${index} than was committed`);
  }

  onUnknown(dataPlane: DataPlaneMember, { name, beganMs }: Request): void {
    if (!this.#mutations.mayBeUnknown(name, beganMs))
      this.broken(`R5: ${dataPlane.id} does not know ${name}, which was acknowledged before`);
  }

  // ---- R2 -----------------------------------------------------------------------------------------------------------

  /** Ready, of the current generation of a function that exists: nothing but surplus may take it away. */
  #isWanted(sandbox: SandboxId): boolean {
    const status = this.#world.status(sandbox);
    if (status?.state !== 'ready' || status.trial) return false;
    return this.#world.registry.byUid(status.uid)?.generation === status.generation;
  }

  onCommandSent(
    leader: LeaderMember,
    worker: WorkerId,
    { incarnation, seq, command }: CommandEnvelope,
  ): void {
    if (command.kind === 'create') return this.#onPlaced(leader, worker, `${incarnation.ms}/${seq}`);
    if (command.kind !== 'drain' && command.kind !== 'kill') return;
    if (leader !== this.#world.leader) return;
    const key = `${leader.fence.term}/${incarnation.ms}/${incarnation.nonce}/${seq}`;
    if (this.#judged.has(key)) return;
    this.#judged.add(key);
    if (command.kind === 'drain') this.#isUnused(leader, command.sandbox);
    if (!this.#isWanted(command.sandbox) || leader.brain.isReconciled) return;
    if (this.#isHardLimited(command.sandbox)) return;
    this.broken(`R2: term ${leader.fence.term} ends ${command.sandbox} before it has reconciled`);
  }

  /** Placement goes where the leader knows that it may; what was sent before it knew is sent again. */
  #onPlaced(leader: LeaderMember, worker: WorkerId, command: string): void {
    const key = `${leader.fence.term}/${worker}/${command}`;
    if (this.#judged.has(key)) return;
    this.#judged.add(key);
    if (leader.brain.workers().find(({ id }) => id === worker)?.cordoned === true)
      this.broken(`term ${leader.fence.term} starts a sandbox on ${worker}, which is cordoned`);
  }

  onBatchSent(leader: LeaderMember, batch: EndpointBatch): void {
    if (leader !== this.#world.leader) return;
    for (const change of batch.changes) {
      if (change.kind !== 'withdraw' || !this.#isWanted(change.sandbox)) continue;
      if (this.#isHardLimited(change.sandbox) || this.#isDeadTo(leader, change.sandbox)) continue;
      if (leader.brain.isReconciled) this.#isReplaced(leader, change.sandbox);
      else this.broken(`R2: term ${leader.fence.term} withdraws ${change.sandbox} before it has reconciled`);
    }
  }

  /** Where its worker is drained it goes only once as many as its function must have are ready without it. */
  #isReplaced(leader: LeaderMember, sandbox: SandboxId): void {
    const status = this.#world.status(sandbox);
    const worker = this.#world.workerOf(sandbox)?.id;
    if (status === undefined || leader.brain.workers().find(({ id }) => id === worker)?.draining !== true)
      return;
    const { uid, generation } = status;
    const min = this.#world.registry.byUid(uid)?.spec.scaling.min ?? 0;
    const ready = leader.brain
      .sandboxes()
      .filter((row) => row.uid === uid && row.generation === generation && row.state === 'ready').length;
    if (ready < min)
      this.broken(
        `${sandbox} leaves ${worker}, which is drained, and ${ready} of ${min} are ready without it`,
      );
  }

  onSnapshotMade(leader: LeaderMember, { complete, endpoints }: EndpointSnapshot): void {
    if (!complete) return;
    const omitted = this.#omitted.get(leader) ?? new Set();
    const named = new Set(endpoints.map(({ sandbox }) => sandbox));
    for (const worker of this.#world.workerIds)
      for (const sandbox of this.#world.worker(worker)?.core.sandboxes.keys() ?? [])
        if (!named.has(sandbox) && this.#isDeadTo(leader, sandbox)) omitted.add(sandbox);
    this.#omitted.set(leader, omitted);
  }

  /** An endpoint leaves a table by its leader's word about it, not because the leader has not heard of it. */
  onTableChanged(dataPlane: DataPlaneMember, fence: Fence, changes: readonly EndpointChange[]): void {
    if (changes.length > 0) this.#onTableFence(dataPlane, fence);
    const leader = this.#world.leader;
    if (leader === undefined || compareFence(leader.fence, fence) !== 0) return;
    for (const change of changes) {
      if (change.kind !== 'withdraw' || !this.#isWanted(change.sandbox)) continue;
      if (leader.withdrew.has(change.sandbox) || this.#isDeadTo(leader, change.sandbox)) continue;
      if (this.#isHardLimited(change.sandbox) || this.#omitted.get(leader)?.has(change.sandbox) === true)
        continue;
      this.broken(`R2: ${dataPlane.id} drops ${change.sandbox}, which term ${fence.term} never withdrew`);
    }
  }

  /** The leader has not heard its worker for a suspicion interval, alone or with few others; or nobody subscribes there. */
  #isDeadTo(leader: LeaderMember, sandbox: SandboxId): boolean {
    const worker = this.#world.workerOf(sandbox);
    if (worker === undefined) return true;
    const row = leader.brain.workers().find(({ id }) => id === worker.id);
    if (row?.state === 'silent') return false;
    const { nowMs } = this.#world;
    const heardMs = leader.heardMs.get(worker.id) ?? Number.NEGATIVE_INFINITY;
    if (row?.state === 'dead' || nowMs - heardMs >= SUSPICION_MS) return true;
    // Back from a silence in which reconciliation closed without it, and still about to say what it has.
    return leader.missed.has(worker.id) && !leader.brain.sandboxes().some(({ id }) => id === sandbox);
  }

  /** Its sandboxes are replaced when its owner is gone, at any time (O2). */
  #isHardLimited(sandbox: SandboxId): boolean {
    const uid = this.#world.status(sandbox)?.uid;
    const record = uid === undefined ? undefined : this.#world.registry.byUid(uid);
    return (record?.spec.containerConcurrency ?? 0) > 0;
  }

  /** Withdrawal without a lost request: no data plane that the leader can hear uses it any more. */
  #isUnused(leader: LeaderMember, sandbox: SandboxId): void {
    for (const { id, live } of leader.brain.dataPlanes()) {
      const dataPlane = this.#world.dataPlane(id);
      if (!live || dataPlane?.table.get(sandbox) === undefined) continue;
      // Of a life that the leader has not heard of yet: it found the endpoint in its file, and will be refused there.
      if (leader.lives.get(id) !== dataPlane.incarnation.ms) continue;
      this.broken(`${sandbox} is drained while ${id}, which is live, still dispatches to it`);
    }
  }

  // ---- R7, owners and the hard limit --------------------------------------------------------------------------------

  /** `held`: what its data plane took for the function's present spec when it chose the sandbox. */
  onServed(
    dataPlane: DataPlaneMember,
    request: Request,
    endpoint: Endpoint,
    spec: FunctionSpec,
    held: FunctionSpec | undefined,
  ): void {
    if (spec.name !== request.name) this.broken(`R7: a request for ${request.name} reaches ${spec.name}`);
    if (held !== undefined && versionOf(spec) !== versionOf(held))
      this.broken(
        `R7: a request for version ${versionOf(held)} of ${spec.name} reaches version ${versionOf(spec)}`,
      );
    if (spec.containerConcurrency > 0) this.#onOwnerServes(dataPlane, endpoint);
    const last = this.#mutations.acknowledgedBy(request.name, request.beganMs);
    if (last === undefined || last.holders.get(dataPlane.id) !== dataPlane.incarnation.ms) return;
    if (last.version === '' ? endpoint.specIndex <= last.specIndex : endpoint.specIndex < last.specIndex)
      this.broken(
        `R7: ${dataPlane.id}, which held the mutation of ${spec.name} at ${last.specIndex}, serves from spec ${endpoint.specIndex}`,
      );
  }

  /** O1. */
  #onOwnerServes({ id, incarnation }: DataPlaneMember, { sandbox, owner }: Endpoint): void {
    const known = this.#owners.get(sandbox) ?? owner;
    if (!isSameOwner(known, { dataPlane: id, incarnation }))
      this.broken(`O1: ${id} dispatches to ${sandbox}, which ${known?.dataPlane ?? 'nobody'} owns`);
    if (known !== undefined) this.#owners.set(sandbox, known);
  }

  onInFlight(sandbox: SandboxId, { spec, inFlight }: Running): void {
    const limit = spec.containerConcurrency;
    if (limit > 0 && inFlight > limit)
      this.broken(`${sandbox} has ${inFlight} requests in flight, its hard limit is ${limit}`);
  }
}
