/** The control plane as the API sees it: one replica's role implements this. Errors are BatonErrors. */
import type { Digest, FunctionName, FunctionUid, ReplicaId, SandboxId, WorkerId } from '../lib/ids.ts';
import type { EventKind } from '../core/leader/event-kinds.ts';
import type {
  DataPlaneRow,
  DrainRow,
  FunctionRow,
  ReconstructionView,
  SandboxRow,
  ScaleView,
  WorkerRow,
} from '../core/leader/types.ts';
import type { FunctionRecord, FunctionSpec } from '../core/model/function.ts';
import type { RequestId } from '../core/model/metadata.ts';
import type { LogRecord } from '../core/model/query.ts';
import type { RaftStatus } from '../core/raft/types.ts';
import type { StoredArtifact } from '../ports/artifact-store.ts';

export interface MemberView {
  readonly id: ReplicaId;
  readonly grpc: string;
  readonly http: string;
}

export interface PutRequest {
  readonly spec: FunctionSpec;
  readonly requestId: RequestId;
  readonly ifGeneration: number | undefined;
  readonly trial: boolean;
}

export interface PutResult {
  readonly record: FunctionRecord;
  readonly laggards: readonly string[];
  readonly trialSkipped: string;
}

export interface EventCursor {
  readonly term: number;
  readonly seq: number;
}

export interface EventView extends EventCursor {
  readonly wallMs: number;
  readonly kind: EventKind;
  readonly subject: string;
  readonly function: string;
  readonly message: string;
}

export interface EventQuery {
  /** The cursor of the answer before; zeroes: from the beginning. */
  readonly after: EventCursor;
  /** Empty: all. */
  readonly kinds: readonly EventKind[];
  /** Empty: whatever they are about. */
  readonly function: string;
  /** The latest so many; undefined: as many as are held. */
  readonly limit: number | undefined;
}

export interface EventPage {
  /** Oldest first. */
  readonly rows: readonly EventView[];
  /** Where the log stood: whoever asks again from here has missed nothing. */
  readonly cursor: EventCursor;
  /** Some after the asker's cursor are not held any more. */
  readonly missed: boolean;
}

/** The leader's term: how it came to lead, and how far it has come since. */
export interface TermView extends ReconstructionView {
  /** advisory or probe: who said that its predecessor was gone; timeout: nobody; transfer: it was asked to lead. */
  readonly cause: string;
  /** From that news until it could act. */
  readonly electionMs: number | undefined;
}

export interface Metric {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly samples: readonly MetricSample[];
}

export interface MetricSample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface LogCursors {
  readonly worker: WorkerId;
  readonly after: number;
}

export interface LogPage {
  readonly rows: readonly (LogRecord & { readonly worker: WorkerId })[];
  readonly cursors: readonly LogCursors[];
  readonly dropped: number;
}

export type LeaderView =
  | { readonly kind: 'self' }
  | { readonly kind: 'other'; readonly member: MemberView }
  | { readonly kind: 'none' };

export interface ControlPlaneBackend {
  readonly cluster: string;
  readonly members: readonly MemberView[];
  readonly self: MemberView;

  /** This replica alone. */
  raft(): RaftStatus;
  stateHash(): string;
  /** `self` only once the term's no-op is applied. */
  leader(): LeaderView;
  /** Applied state may be served: the replica is not stopping and its disk works. */
  isReady(): boolean;

  // Leader only; they throw `not-leader` elsewhere.
  put(request: PutRequest): Promise<PutResult>;
  delete(
    name: FunctionName,
    requestId: RequestId,
    ifGeneration: number | undefined,
  ): Promise<{ uid: number; laggards: readonly string[] }>;
  /** Through ReadIndex. */
  functions(): Promise<readonly FunctionRecord[]>;
  function(name: FunctionName): Promise<FunctionRecord | undefined>;
  scales(): readonly FunctionRow[];
  /** Undefined: this leader does not know it yet. */
  scale(uid: FunctionUid): ScaleView | undefined;
  workers(): readonly WorkerRow[];
  sandboxes(): readonly SandboxRow[];
  dataPlanes(): readonly DataPlaneRow[];
  events(query: EventQuery): EventPage;
  term(): TermView;
  /**
   * This and `drain` resolve once the worker has it on its disk. Either ends the other.
   * @throws BatonError `timeout`; `not-found`; before reconciliation has closed `not-synced` instead, after a wait
   */
  cordon(worker: WorkerId, on: boolean): Promise<void>;
  drain(worker: WorkerId): Promise<DrainRow>;
  drainOf(worker: WorkerId): DrainRow;
  transferLeadership(to: ReplicaId | ''): Promise<{ leader: ReplicaId | ''; term: number }>;
  logs(query: {
    function: FunctionName | '';
    sandbox: SandboxId | '';
    cursors: readonly LogCursors[];
    limit: number;
  }): Promise<LogPage>;

  // Artifacts, on any replica.
  hasArtifact(digest: Digest): boolean;
  readArtifact(digest: Digest): AsyncIterable<Uint8Array>;
  /** Stored here and on a majority, the leader included, before it resolves. */
  uploadArtifact(content: AsyncIterable<Uint8Array>, expected: Digest | undefined): Promise<StoredArtifact>;
  /** Internal: hold it, pulling from there when it must. */
  holdArtifact(digest: Digest, sourceHttp: string): Promise<void>;
  /** Internal, leader: make a majority hold it. */
  replicateArtifact(digest: Digest, sourceHttp: string): Promise<void>;

  /** For /metrics. */
  metrics(): readonly Metric[];
}
