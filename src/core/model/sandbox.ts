/** Sandboxes and endpoints: soft state, owned by the worker that runs them. */
import type { DataPlaneId, FunctionUid, SandboxId, WorkerId } from '../../lib/ids.ts';
import type { Incarnation } from './fence.ts';

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
}

/** The data plane that alone queues, counts and dispatches for a function with a hard limit. */
export interface FunctionOwner {
  readonly dataPlane: DataPlaneId;
  readonly incarnation: Incarnation;
  /** host:port of its peer listener. */
  readonly peer: string;
}
