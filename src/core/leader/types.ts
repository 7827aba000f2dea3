/**
 * The leader's soft-state brain: what goes in (methods of Leader), what comes out (effects), and how it looks from outside.
 * It is created when a replica wins, fed only after the term's no-op is applied, and thrown away when the replica steps
 * down. Times are monotonic milliseconds.
 */
import type { DataPlaneId, FunctionName, FunctionUid, SandboxId, WorkerId } from '../../lib/ids.ts';
import type { EndpointBatch } from '../model/broadcast.ts';
import type { CommandEnvelope, WorkerNotice } from '../model/command.ts';
import type { Fence } from '../model/fence.ts';
import type { Label, PlacementStrategy } from '../model/function.ts';
import type { EventKind } from './event-kinds.ts';
import type { WorkerCapacity } from '../model/worker-report.ts';

export interface LeaderOptions {
  readonly fence: Fence;
  /** Silence after which a worker is suspected, by timer. */
  readonly suspicionMs: number;
  /** A data plane is live until this long after its last report. */
  readonly leaseMs: number;
  readonly workerHeartbeatMs: number;
  /** How long a heartbeat may be late before the worker is probed. */
  readonly overdueMs: number;
  /** Until reconciliation closes, a function gets at most one new sandbox in this time. */
  readonly coldStartPaceMs: number;
  readonly decideEveryMs: number;
  readonly trialTimeoutMs: number;
  readonly specWaitMs: number;
  /** Base URLs of replicas that hold artifacts. */
  readonly artifactSources: readonly string[];
  /** For functions that choose none. */
  readonly placement: PlacementStrategy;
}

export type TrialResult =
  | { readonly ok: true; readonly sandbox: SandboxId; readonly worker: WorkerId }
  | {
      readonly ok: false;
      readonly reason: 'failed' | 'no-capacity' | 'timeout';
      readonly message: string;
      readonly log: string;
    };

export type LeaderEffect =
  | { readonly kind: 'command'; readonly worker: WorkerId; readonly envelope: CommandEnvelope }
  | { readonly kind: 'notice'; readonly worker: WorkerId; readonly notice: WorkerNotice }
  /** Ask whether anyone subscribes to the worker's subject; answer with workerProbed. */
  | { readonly kind: 'probe-worker'; readonly worker: WorkerId }
  | { readonly kind: 'endpoints'; readonly batch: EndpointBatch }
  | { readonly kind: 'trial'; readonly trial: number; readonly result: TrialResult }
  /** Every live data plane holds the spec, or these do not after the wait. */
  | { readonly kind: 'spec-wait'; readonly wait: number; readonly laggards: readonly DataPlaneId[] }
  | {
      readonly kind: 'event';
      readonly event: EventKind;
      readonly subject: string;
      /** Empty: it is about no function. */
      readonly function: string;
      readonly message: string;
    };

/** The leader's connection, and the NATS servers that it knows of. */
export interface LeaderBus {
  readonly upSinceMs: number;
  /** Its own. */
  readonly server: string;
  /** Those that other replicas speak through. */
  readonly others: readonly string[];
}

export interface WorkerRow {
  readonly id: WorkerId;
  readonly state: 'alive' | 'silent' | 'dead';
  readonly cordoned: boolean;
  readonly draining: boolean;
  readonly driver: string;
  readonly isolation: string;
  readonly labels: readonly Label[];
  /** Held unpacked, as far as it reports them. */
  readonly artifacts: number;
  readonly capacity: WorkerCapacity;
  readonly allocated: WorkerCapacity;
  readonly sandboxes: number;
  readonly incarnationMs: number;
  readonly heardMsAgo: number;
}

export type PlacedState = 'unconfirmed' | 'pending' | 'starting' | 'ready' | 'withdrawing' | 'draining';

export interface SandboxRow {
  readonly id: SandboxId;
  readonly uid: FunctionUid;
  readonly function: FunctionName | '';
  readonly generation: number;
  readonly worker: WorkerId;
  readonly pid: number;
  readonly state: PlacedState;
  readonly address: string;
}

export interface DataPlaneRow {
  readonly id: DataPlaneId;
  readonly live: boolean;
  readonly caller: string;
  readonly peer: string;
  readonly endpointSeq: number;
  readonly specIndex: number;
  readonly inFlight: number;
  readonly queued: number;
  readonly heardMsAgo: number;
}

export interface FunctionRow {
  readonly uid: FunctionUid;
  readonly ready: number;
  readonly starting: number;
  readonly desired: number;
  readonly concurrency: number;
  readonly reason: string;
}

/** How far a worker is with being emptied. */
export interface DrainRow {
  readonly worker: WorkerId;
  /** none: it is not drained. reconciling: this leader has not heard enough to tell. dead: what it ran is gone. */
  readonly phase: 'none' | 'reconciling' | 'draining' | 'drained' | 'dead';
  /** Sandboxes that are still there. */
  readonly left: number;
  /** Of these: what is being started in their place. */
  readonly moving: number;
  /** Of these: withdrawn, to stop with their last request. */
  readonly finishing: number;
  /** What is in the way of the others, a line each; the first limits.drainReasons. */
  readonly waiting: readonly string[];
}

/** Everything about one function's scale. */
export interface ScaleView {
  readonly ready: number;
  readonly starting: number;
  readonly desired: number;
  /** Requests in flight and queued, over all data planes. */
  readonly load: number;
  /** All of it in one line. */
  readonly reason: string;
  /** Undefined: nothing had to be decided in this term. */
  readonly decision: DecisionView | undefined;
  /** A generation begins with so many sandboxes, whatever the load; 0: it has begun. */
  readonly beginsWith: number;
  /** What keeps it from the wanted scale, a line each. */
  readonly waitingFor: readonly string[];
  /** The last time in this term that another scale was wanted. */
  readonly change:
    { readonly from: number; readonly to: number; readonly why: string; readonly msAgo: number } | undefined;
}

/** See autoscaler/explanation.ts. */
export interface DecisionView {
  readonly msAgo: number;
  /** Which average decided; idle: there was nothing to decide by. */
  readonly rule: 'idle' | 'stable' | 'panic';
  readonly stableLoad: number;
  readonly panicLoad: number;
  readonly target: number;
  readonly stableWindowMs: number;
  /** What the load asks for, before any limit. */
  readonly wanted: number;
  readonly panicLeftMs: number | undefined;
  /** What decided in the end; undefined: the load did. */
  readonly bound:
    | {
        readonly kind: string;
        readonly scale: number;
        readonly leftMs: number | undefined;
        readonly text: string;
      }
    | undefined;
}

/** Times count from the beginning of the term, its no-op applied; undefined: not yet, or never. */
export interface ReconstructionView {
  readonly phase: 'announced' | 'known-workers' | 'reconciled';
  readonly ageMs: number;
  /** Heard under this term, or named by a data plane. */
  readonly knownWorkers: number;
  /** Those that have said under this term all that they run. */
  readonly reportedWorkers: number;
  readonly firstWorkerMs: number | undefined;
  /** All that were known before it was reconciled had reported. */
  readonly allReportedMs: number | undefined;
  readonly reconciledMs: number | undefined;
}
