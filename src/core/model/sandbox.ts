/** Sandboxes and endpoints: soft state, owned by the worker that runs them. */
import type { DataPlaneId, FunctionUid, SandboxId, WorkerId } from '../../lib/ids.ts';
import { orderIncarnation, type Incarnation } from './fence.ts';

/**
 * starting → ready → draining → gone; any state may go to `gone`. A `gone` sandbox is reported once as a change and is
 * absent from inventories.
 */
export type SandboxState = 'starting' | 'ready' | 'draining' | 'gone';

/** `unix:/absolute/path` or `tcp:host:port`. */
export type SandboxAddress = string;

/** Microseconds per stage of one start, as the driver measured them (names are the driver's). */
export interface StartStage {
  readonly name: string;
  readonly micros: number;
}

export interface SandboxStatus {
  readonly id: SandboxId;
  /** 0 while the sandbox is a trial that nobody has adopted. */
  readonly uid: FunctionUid;
  readonly generation: number;
  readonly specIndex: number;
  readonly state: SandboxState;
  /** The worker's change counter at this sandbox's last change: per incarnation, strictly increasing over all changes. */
  readonly version: number;
  /** Empty until `ready`. */
  readonly address: SandboxAddress;
  /** 0 where the driver has no process. */
  readonly pid: number;
  readonly trial: boolean;
  readonly owner: SandboxOwner | undefined;
  /** Why it is gone or why the start failed; empty otherwise. */
  readonly reason: string;
  /** Last lines of a failed start (the function's own error and stack), bounded; empty otherwise. */
  readonly log: string;
  readonly startStages: readonly StartStage[];
}

export interface Endpoint {
  readonly sandbox: SandboxId;
  readonly uid: FunctionUid;
  readonly generation: number;
  readonly specIndex: number;
  readonly worker: WorkerId;
  readonly address: SandboxAddress;
  readonly owner: SandboxOwner | undefined;
}

/**
 * The life of a data plane that alone dispatches to a sandbox, for as long as that exists: so that a hard limit holds whoever
 * leads, and whatever a data plane that was away takes itself for. Undefined: the function has no hard limit.
 */
export interface SandboxOwner {
  readonly dataPlane: DataPlaneId;
  readonly incarnation: Incarnation;
}

export function isSameOwner(a: SandboxOwner | undefined, b: SandboxOwner | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.dataPlane === b.dataPlane && orderIncarnation(a.incarnation, b.incarnation) === 'same';
}

/** The data plane that alone queues, counts and dispatches for a function with a hard limit; others hand it their requests. */
export interface FunctionOwner extends SandboxOwner {
  /** host:port of its peer listener. */
  readonly peer: string;
}
