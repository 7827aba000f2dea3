/** What a worker's brain decides, as data. Effects are carried out in order; nothing overtakes a `persist`. */
import type { Digest, SandboxId } from '../../lib/ids.ts';
import type { CreateSandbox } from '../model/command.ts';
import type { Label } from '../model/function.ts';
import type { Fence, Incarnation } from '../model/fence.ts';
import type { SandboxAddress, StartStage } from '../model/sandbox.ts';
import type { WorkerCapacity, WorkerReport } from '../model/worker-report.ts';

export interface WorkerCoreOptions {
  readonly incarnation: Incarnation;
  readonly capacity: WorkerCapacity;
  readonly driver: string;
  readonly isolation: string;
  readonly labels: readonly Label[];
  readonly heartbeatMs: number;
  /** A trial that nobody adopted in this time is killed: its leader is gone, or has forgotten it. */
  readonly trialLifetimeMs: number;
  /** From the worker's own file. */
  readonly fence: Fence;
  readonly cordoned: boolean;
  readonly draining: boolean;
  /** Held unpacked from earlier lives, those used last at the end. */
  readonly artifacts: readonly Digest[];
}

export type WorkerEffect =
  /** Durable before any later effect. */
  | {
      readonly kind: 'persist';
      readonly fence: Fence;
      readonly cordoned: boolean;
      readonly draining: boolean;
    }
  /** To whoever leads `term`; after a delay when an inventory is spread. */
  | {
      readonly kind: 'report';
      readonly term: number;
      readonly report: WorkerReport;
      readonly afterMs: number;
    }
  | { readonly kind: 'start'; readonly create: CreateSandbox }
  | { readonly kind: 'drain'; readonly sandbox: SandboxId; readonly graceMs: number }
  | { readonly kind: 'kill'; readonly sandbox: SandboxId }
  | { readonly kind: 'forget-artifacts'; readonly digests: readonly Digest[] }
  /** Another process lives under this id: this one must not go on unnoticed. */
  | { readonly kind: 'duplicate-id'; readonly other: Incarnation };

export interface SandboxStarted {
  readonly address: SandboxAddress;
  readonly pid: number;
  readonly stages: readonly StartStage[];
}

/** Why a command did nothing; counted, and acknowledged again where that helps the sender. */
export type Refusal = 'fenced' | 'other-incarnation' | 'already-applied' | 'gap';
