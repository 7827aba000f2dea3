/**
 * What a worker tells the leader. Changes are numbered by the worker's `version` counter, so that any order, loss or
 * duplication of these messages merges to the same view: the highest version of a sandbox wins, and an inventory removes
 * what it lacks only where that is not newer than the inventory.
 */
import type { Digest, FunctionUid } from '../../lib/ids.ts';
import type { Fence, Incarnation } from './fence.ts';
import type { Label } from './function.ts';
import type { SandboxStatus } from './sandbox.ts';

export interface WorkerCapacity {
  readonly cpuMillis: number;
  readonly memoryMiB: number;
  readonly sandboxes: number;
}

/** Sent each interval and at once on a change. */
export interface WorkerHeartbeat {
  readonly kind: 'heartbeat';
  readonly incarnation: Incarnation;
  /** Rises by one with each heartbeat of this incarnation. */
  readonly seq: number;
  /** The NATS server this came through. */
  readonly natsServer: string;
  readonly capacity: WorkerCapacity;
  readonly cordoned: boolean;
  /** Cordoned, and what it runs is to be moved away. */
  readonly draining: boolean;
  readonly driver: string;
  /** What isolates a sandbox from its host, for people: "bubblewrap", "none; programs use the host's network". */
  readonly isolation: string;
  /** What functions select by; sorted by name. */
  readonly labels: readonly Label[];
  /** Highest fence that this worker has seen (and persisted, before acting under it). */
  readonly fence: Fence;
  /** Last command applied under `fence` and this incarnation; 0 for none. */
  readonly lastCommand: number;
  /** `changes` covers versions in (sinceVersion, version]; a receiver that is behind sinceVersion asks for inventory. */
  readonly sinceVersion: number;
  readonly version: number;
  readonly changes: readonly SandboxStatus[];
  /** Artifacts that it holds unpacked, came and gone in the same versions; no digest is in both. */
  readonly artifactsAdded: readonly Digest[];
  readonly artifactsRemoved: readonly Digest[];
}

export interface FunctionCounts {
  readonly uid: FunctionUid;
  readonly generation: number;
  readonly starting: number;
  readonly ready: number;
}

/** The answer to a beacon of a new term: enough to place on, and to count scale, before the inventory arrives. */
export interface WorkerHello {
  readonly kind: 'hello';
  readonly heartbeat: WorkerHeartbeat;
  readonly counts: readonly FunctionCounts[];
  /** All that it holds unpacked, as far as it reports them. */
  readonly artifacts: readonly Digest[];
}

/** One part of the worker's full truth as of `version`. */
export interface WorkerInventory {
  readonly kind: 'inventory';
  readonly incarnation: Incarnation;
  readonly version: number;
  readonly part: number;
  readonly parts: number;
  readonly sandboxes: readonly SandboxStatus[];
  /** All of them, in the first part. */
  readonly artifacts: readonly Digest[];
}

export type WorkerReport = WorkerHeartbeat | WorkerHello | WorkerInventory;
