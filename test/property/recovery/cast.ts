/** What the members of the model cluster see of one another, and of the world that they live in. */
import type { MetadataState } from '../../../src/core/metadata/metadata-state.ts';
import type { MetadataCommand, MetadataOutcome } from '../../../src/core/model/metadata.ts';
import type { RaftMessage } from '../../../src/core/raft/types.ts';
import type {
  DataPlaneId,
  FunctionName,
  FunctionUid,
  ReplicaId,
  SandboxId,
  WorkerId,
} from '../../../src/lib/ids.ts';
import type { Dispatcher } from '../../../src/core/dispatch/dispatcher.ts';
import type { SpecReplica } from '../../../src/core/dispatch/spec-replica.ts';
import type { EndpointReplica } from '../../../src/core/endpoints/endpoint-replica.ts';
import type { Leader } from '../../../src/core/leader/leader.ts';
import type {
  Beacon,
  EndpointBatch,
  EndpointChange,
  EndpointSnapshot,
  SpecBatch,
  SpecSnapshot,
} from '../../../src/core/model/broadcast.ts';
import type { CommandEnvelope, WorkerNotice } from '../../../src/core/model/command.ts';
import type { Fence, Incarnation } from '../../../src/core/model/fence.ts';
import type { FunctionSpec } from '../../../src/core/model/function.ts';
import type { LookupReply } from '../../../src/core/model/data-plane-report.ts';
import type { Endpoint, SandboxStatus } from '../../../src/core/model/sandbox.ts';
import type { WorkerCore } from '../../../src/core/worker/worker-core.ts';
import type { EventQueue } from '../../sim/event-queue.ts';
import type { Network } from './network.ts';
import type { Registry } from './registry.ts';
import type { Request } from './request.ts';

/** A sandbox's process. */
export interface Running {
  readonly spec: FunctionSpec;
  accepts: boolean;
  inFlight: number;
  /** Called when its process ends. */
  readonly onEnd: Set<() => void>;
}

export interface WorkerMember {
  readonly id: WorkerId;
  readonly core: WorkerCore;
  readonly running: ReadonlyMap<SandboxId, Running>;
  onBeacon(beacon: Beacon): void;
  onCommand(envelope: CommandEnvelope): void;
  onNotice(notice: WorkerNotice): void;
}

export interface ReplicaMember {
  readonly id: ReplicaId;
  onRaft(message: RaftMessage): void;
  onProbe(): void;
}

/** What a leader needs of the replica that it runs in. */
export interface LeaderHost {
  readonly id: ReplicaId;
  /** As applied there. */
  readonly state: MetadataState;
  /** The connection that everything but Raft goes over. */
  readonly bulk: { readonly up: boolean; readonly sinceMs: number };
  /** The no-op of its term is applied, and its quorum was heard within an election timeout. */
  mayAct(): boolean;
  /** `overtaken`: nobody knows whether it will be. Never answered when the replica dies first. */
  propose(
    command: Exclude<MetadataCommand, { kind: 'no-op' }>,
    onEnd: (outcome: MetadataOutcome | 'overtaken') => void,
  ): void;
  readIndex(onEnd: (isServed: boolean) => void): void;
}

export interface DataPlaneMember {
  readonly id: DataPlaneId;
  readonly incarnation: Incarnation;
  readonly specs: SpecReplica;
  readonly table: EndpointReplica;
  readonly dispatcher: Dispatcher<Request>;
  onBeacon(beacon: Beacon): void;
  onBatch(batch: EndpointBatch): void;
  onSpecs(batch: SpecBatch): void;
  /** A peer hands over a request of a function that this one owns. */
  accept(request: Request, uid: FunctionUid, deadlineMs: number, peerIsAhead: boolean): void;
}

export interface LeaderMember {
  readonly fence: Fence;
  readonly brain: Leader;
  readonly host: ReplicaId;
  /** Withdrawn by a word of its own, at some time. */
  readonly withdrew: ReadonlySet<SandboxId>;
  readonly heardMs: ReadonlyMap<WorkerId, number>;
  /** Of data planes: the life that was heard last. */
  readonly lives: Map<DataPlaneId, number>;
  /** Silent for a suspicion interval at some time. */
  readonly missed: ReadonlySet<WorkerId>;
  heardWorker(worker: WorkerId): void;
  /** One turn of its loop with what came over the bus; nothing while it is stopped, gone or cut off. */
  hear(run: (brain: Leader, nowMs: number) => void): void;
  /** Undefined: it may not publish now. */
  endpointSnapshot(): EndpointSnapshot | undefined;
  specSnapshot(): SpecSnapshot | undefined;
  lookUp(name: FunctionName, onEnd: (reply: LookupReply) => void): void;
}

/** Told of everything that could break a promise; a broken one throws at once. */
export interface Witness {
  onApplied(replica: ReplicaId, index: number, command: MetadataCommand): void;
  onStart(sandbox: SandboxId): void;
  onWorkerSees(worker: WorkerId, fence: Fence): void;
  onCommandApplied(worker: WorkerMember, envelope: CommandEnvelope): void;
  onCommandSent(leader: LeaderMember, worker: WorkerId, envelope: CommandEnvelope): void;
  onBatchSent(leader: LeaderMember, batch: EndpointBatch): void;
  onSnapshotMade(leader: LeaderMember, snapshot: EndpointSnapshot): void;
  onTableChanged(dataPlane: DataPlaneMember, fence: Fence, changes: readonly EndpointChange[]): void;
  onServed(
    dataPlane: DataPlaneMember,
    request: Request,
    endpoint: Endpoint,
    spec: FunctionSpec,
    held: FunctionSpec | undefined,
  ): void;
  onUnknown(dataPlane: DataPlaneMember, request: Request): void;
  onInFlight(sandbox: SandboxId, running: Running): void;
}

export interface World {
  readonly nowMs: number;
  readonly queue: EventQueue;
  readonly registry: Registry;
  readonly network: Network;
  readonly promises: Witness;
  readonly replicaIds: readonly ReplicaId[];
  readonly workerIds: readonly WorkerId[];
  readonly dataPlaneIds: readonly DataPlaneId[];
  /** The NATS server that a member is connected to. */
  readonly server: (id: string) => string;
  /** Who was elected last, while it lives. */
  readonly leader: LeaderMember | undefined;
  leaderOf(term: number): LeaderMember | undefined;
  replica(id: string): ReplicaMember | undefined;
  worker(id: string): WorkerMember | undefined;
  dataPlane(id: string): DataPlaneMember | undefined;
  /** The truth about a sandbox: who runs it, what its worker says of it, its process. */
  workerOf(sandbox: SandboxId): WorkerMember | undefined;
  status(sandbox: SandboxId): SandboxStatus | undefined;
  running(sandbox: SandboxId): Running | undefined;
}
