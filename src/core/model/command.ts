/** What the leader sends to one worker. */
import type { Digest, FunctionUid, SandboxId } from '../../lib/ids.ts';
import type { Fence, Incarnation } from './fence.ts';
import type { FunctionSpec } from './function.ts';
import type { SandboxOwner } from './sandbox.ts';

export interface CreateSandbox {
  readonly kind: 'create';
  readonly sandbox: SandboxId;
  /** 0 for a trial: the function has no uid before it is proposed. */
  readonly uid: FunctionUid;
  readonly generation: number;
  readonly specIndex: number;
  readonly spec: FunctionSpec;
  /** Runs once before its spec is proposed; killed by the worker if nobody adopts it within the trial's lifetime. */
  readonly trial: boolean;
  /** Of a function with a hard limit; a trial has none before it is adopted. */
  readonly owner: SandboxOwner | undefined;
  /** Base URLs of replicas that hold the artifact. */
  readonly artifactSources: readonly string[];
}

/** What a worker is told to remember: that nothing is placed on it. */
export interface Cordon {
  readonly on: boolean;
  /** What it runs is to be moved away too; only while it is on. */
  readonly drain: boolean;
}

export type WorkerCommand =
  | CreateSandbox
  /** The trial became the first sandbox of this generation. */
  | {
      readonly kind: 'adopt';
      readonly sandbox: SandboxId;
      readonly uid: FunctionUid;
      readonly generation: number;
      readonly specIndex: number;
      readonly owner: SandboxOwner | undefined;
    }
  /** Stop accepting, finish what runs, then exit; killed after `graceMs`. */
  | { readonly kind: 'drain'; readonly sandbox: SandboxId; readonly graceMs: number }
  | { readonly kind: 'kill'; readonly sandbox: SandboxId }
  | ({ readonly kind: 'cordon' } & Cordon)
  /** Artifacts that no function names any more. */
  | { readonly kind: 'forget-artifacts'; readonly digests: readonly Digest[] };

/**
 * Numbered per (fence, worker incarnation) from 1. The worker applies only the next seq, acknowledges the last applied
 * one in its heartbeats, and refuses whatever is at or below it (invariant R3).
 */
export interface CommandEnvelope {
  readonly fence: Fence;
  readonly incarnation: Incarnation;
  readonly seq: number;
  readonly command: WorkerCommand;
}

/** Idempotent, therefore unnumbered: fenced, and addressed to an incarnation. */
export interface WorkerNotice {
  readonly fence: Fence;
  readonly incarnation: Incarnation;
  readonly notice:
    | { readonly kind: 'send-inventory'; /** Spread the parts over this long. */ readonly spreadMs: number }
    /** Another process is alive under the same worker id. */
    | { readonly kind: 'duplicate-id'; readonly other: Incarnation };
}
