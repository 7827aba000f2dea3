/** What a data plane tells the leader. Sender identity is the subject's, never the body's. */
import type { FunctionName, FunctionUid, SandboxId, WorkerId } from '../../lib/ids.ts';
import type { Fence, Incarnation } from './fence.ts';
import type { FunctionRecord } from './function.ts';
import type { Endpoint } from './sandbox.ts';

export interface FunctionLoad {
  readonly uid: FunctionUid;
  readonly inFlight: number;
  readonly queued: number;
}

/** Every 250 ms, and at once when an acknowledgement changes. A function that is absent has no load here. */
export interface DataPlaneReport {
  readonly kind: 'report';
  readonly incarnation: Incarnation;
  readonly seq: number;
  readonly natsServer: string;
  /** Base URL for callers. */
  readonly caller: string;
  /** host:port of the peer listener. */
  readonly peer: string;
  /** Fence and seq of the last endpoint batch (or snapshot) applied. */
  readonly fence: Fence;
  readonly endpointSeq: number;
  readonly specIndex: number;
  readonly loads: readonly FunctionLoad[];
  /** In flight per endpoint that is being withdrawn; 0 says that it may be drained. */
  readonly withdrawing: readonly { readonly sandbox: SandboxId; readonly inFlight: number }[];
  /** Endpoints taken out locally because they refused a connection. */
  readonly refused: readonly SandboxId[];
  /** Endpoints with a slot that nobody can give back: never used again here, and to be replaced. */
  readonly condemned: readonly SandboxId[];
  /** Hard-limited functions that this data plane owns. */
  readonly owned: readonly FunctionUid[];
}

/** The endpoints a data plane holds, in parts: evidence of scale for a new leader, and of workers that it has not heard. */
export interface DataPlaneHeld {
  readonly kind: 'held';
  readonly incarnation: Incarnation;
  readonly part: number;
  readonly parts: number;
  readonly endpoints: readonly Endpoint[];
  /** On which it holds endpoints that it may tell later. */
  readonly workers: readonly WorkerId[];
}

/** Queue 0→1 of a function without a free slot; re-sent after 20, 40, 80 ms … until acknowledged. */
export interface Demand {
  readonly kind: 'demand';
  readonly incarnation: Incarnation;
  readonly seq: number;
  readonly loads: readonly FunctionLoad[];
}

export type DataPlaneMessage = DataPlaneReport | DataPlaneHeld | Demand;

/** Reply to {@link Demand}: it was counted under this fence. */
export interface DemandAck {
  readonly fence: Fence;
  readonly seq: number;
}

/** A data plane asks for a name that it does not know. */
export interface Lookup {
  readonly name: FunctionName;
}

/** Answered through ReadIndex. Only `found: false` of a leader makes a 404. */
export interface LookupReply {
  readonly fence: Fence;
  readonly specIndex: number;
  readonly record: FunctionRecord | undefined;
}

export type PullStream = 'endpoints' | 'specs';

/** Asks for one chunk of a snapshot; `bound` 0 asks the leader to choose, later chunks name the bound they belong to. */
export interface Pull {
  readonly stream: PullStream;
  readonly bound: number;
  readonly chunk: number;
}

/**
 * `bytes` is a piece of an encoded snapshot; `chunks` 0 says that this bound is gone: begin again with bound 0. `heard`: the
 * life of the asking data plane that the leader has heard of last; all zeroes: of none; undefined: an older leader does not tell.
 */
export interface PullReply {
  readonly fence: Fence;
  readonly bound: number;
  readonly chunk: number;
  readonly chunks: number;
  readonly bytes: Uint8Array;
  readonly heard: Incarnation | undefined;
}
