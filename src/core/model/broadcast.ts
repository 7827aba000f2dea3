/** What the leader publishes to everyone. */
import type { FunctionUid, SandboxId } from '../../lib/ids.ts';
import type { Fence } from './fence.ts';
import type { FunctionRecord } from './function.ts';
import type { Endpoint, FunctionOwner } from './sandbox.ts';

/** An order-independent digest of confirmed endpoints and owners: two 32-bit halves. */
export interface TableDigest {
  readonly high: number;
  readonly low: number;
}

/** Each 100 ms; the first one announces the term. */
export interface Beacon {
  readonly fence: Fence;
  readonly endpointSeq: number;
  /** Over confirmed entries, as of endpointSeq. */
  readonly digest: TableDigest;
  readonly specIndex: number;
  /** Reconciliation has closed: snapshots are complete. */
  readonly complete: boolean;
  /** The leader's base URLs. */
  readonly http: string;
  readonly grpc: string;
}

export type EndpointChange =
  | { readonly kind: 'put'; readonly endpoint: Endpoint }
  | { readonly kind: 'withdraw'; readonly sandbox: SandboxId; readonly uid: FunctionUid }
  /** Published before the function's first endpoint; `owner` undefined releases it. */
  | { readonly kind: 'owner'; readonly uid: FunctionUid; readonly owner: FunctionOwner | undefined };

/** Applied only as the next seq of the highest fence; a gap makes the receiver pull a snapshot. */
export interface EndpointBatch {
  readonly fence: Fence;
  readonly seq: number;
  readonly changes: readonly EndpointChange[];
}

/**
 * `complete` false: partial, merged into what the receiver has. True: replaces the table; what it lacks is taken out.
 */
export interface EndpointSnapshot {
  readonly fence: Fence;
  readonly seq: number;
  readonly complete: boolean;
  readonly endpoints: readonly Endpoint[];
  readonly owners: readonly { readonly uid: FunctionUid; readonly owner: FunctionOwner }[];
  /** Partial snapshots only: what was withdrawn under this fence. Merging alone would take nothing out. */
  readonly withdrawn: readonly { readonly sandbox: SandboxId; readonly uid: FunctionUid }[];
}

/** Applied only on top of `prevSpecIndex`; otherwise the receiver pulls a snapshot. */
export interface SpecBatch {
  readonly fence: Fence;
  readonly prevSpecIndex: number;
  readonly specIndex: number;
  readonly put: readonly FunctionRecord[];
  readonly deleted: readonly FunctionUid[];
}

export interface SpecSnapshot {
  readonly fence: Fence;
  readonly specIndex: number;
  readonly functions: readonly FunctionRecord[];
}
