/** Durable Raft state of one replica. See DESIGN, "Storage". */
import type { ClusterId, ReplicaId } from '../lib/ids.ts';

export interface StoredEntry {
  readonly index: number;
  readonly term: number;
  /** Encoded command; never interpreted by the store. */
  readonly data: Uint8Array;
}

export interface HardState {
  readonly term: number;
  /** Empty: no vote in this term. */
  readonly vote: string;
  readonly commit: number;
}

/** The whole replicated state at `index`. */
export interface StoredSnapshot {
  readonly index: number;
  readonly term: number;
  readonly data: Uint8Array;
}

export interface StoreIdentity {
  readonly cluster: ClusterId;
  readonly replica: ReplicaId;
  /** Rises only by bootstrap, restore or recover. */
  readonly epoch: number;
  /** The last incarnation this directory was opened under. */
  readonly incarnationMs: number;
  /**
   * False for a replica that was started on an empty or damaged directory: it votes for nobody until it has rejoined
   * (DESIGN, "Storage"), and then only in terms above `votesAboveTerm`.
   */
  readonly voter: boolean;
  readonly votesAboveTerm: number;
}

export type OpenedStore =
  | {
      readonly kind: 'ready';
      readonly identity: StoreIdentity;
      readonly hardState: HardState;
      readonly snapshot: StoredSnapshot | undefined;
      /** Contiguous, from snapshot.index + 1 (or 1). */
      readonly entries: readonly StoredEntry[];
      /** An incomplete last record was cut; for the log line. */
      readonly tornBytes: number;
    }
  /** Nothing here: only an explicit bootstrap or rejoin may create it. */
  | { readonly kind: 'empty' }
  /** A complete record fails its checksum, or a file that must be there is not: start again as a non-voter. */
  | { readonly kind: 'damaged'; readonly what: string };

export interface SaveBatch {
  readonly hardState: HardState | undefined;
  /** Contiguous. When the first index is not beyond the last stored one, everything from it on is replaced. */
  readonly entries: readonly StoredEntry[];
  readonly snapshot: StoredSnapshot | undefined;
}

export interface LogStore {
  open(): Promise<OpenedStore>;
  /** Creates the directory's files for this identity, replacing what was there only when it was empty or damaged. */
  create(identity: StoreIdentity): Promise<void>;
  setIdentity(identity: StoreIdentity): Promise<void>;
  /**
   * Resolves when everything in the batch is durable; batches become durable in the order of the calls. After a rejection
   * (BatonError `io`) the store refuses every further call: a handle is not reused after a failed fsync.
   */
  save(batch: SaveBatch): Promise<void>;
  /** Takes a snapshot of applied state and drops entries up to `keepFrom` - 1. */
  compact(snapshot: StoredSnapshot, keepFrom: number): Promise<void>;
  close(): Promise<void>;
}
