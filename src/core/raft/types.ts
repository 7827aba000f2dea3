/**
 * The interface of the Raft-lite core: inputs, messages, and the one output that names its own ordering
 * (Ongaro, "Consensus: Bridging Theory and Practice", called "the thesis" below).
 *
 * Time is monotonic milliseconds passed in with each input; randomness is an injected generator. Ordering of a
 * {@link Ready}: `messages` may leave at once; `persist` goes to the store under its ticket; what is in `afterPersist`
 * leaves only when that ticket is durable; `committed` may be applied at once (it is durable on a majority).
 */
import type { ReplicaId } from '../../lib/ids.ts';
import type { Prng } from '../../lib/prng.ts';
import type { Incarnation } from '../model/fence.ts';

export interface RaftConfig {
  readonly cluster: string;
  readonly id: ReplicaId;
  /** 1 (development), 3 or 5, this replica included; fixed. */
  readonly members: readonly ReplicaId[];
  /** That of the directory. A replica that holds nothing learns a higher one from the members (rejoin.ts). */
  readonly epoch: number;
  readonly incarnation: Incarnation;
  readonly electionTimeoutMs: number;
  readonly heartbeatMs: number;
  /** How long others leave the field to the named successor after a hint. */
  readonly successorGraceMs: number;
  /** Highest metadata command type that this build can apply. */
  readonly commandVersion: number;
  readonly random: Prng;
}

export interface LogEntry {
  readonly index: number;
  readonly term: number;
  /** Empty: the no-op with which a leader begins its term. */
  readonly data: Uint8Array;
}

export interface PersistentState {
  readonly term: number;
  /** Empty: none. */
  readonly vote: ReplicaId | '';
  readonly commit: number;
}

/** What a replica is, apart from what it holds. */
export interface PersistentIdentity {
  readonly epoch: number;
  readonly incarnationMs: number;
  readonly voter: boolean;
  readonly votesAboveTerm: number;
}

export interface SnapshotMark {
  readonly index: number;
  readonly term: number;
}

export interface Snapshot extends SnapshotMark {
  readonly data: Uint8Array;
}

/** What the store held when this replica started. */
export interface RaftBoot {
  readonly hardState: PersistentState;
  readonly snapshot: Snapshot | undefined;
  readonly entries: readonly LogEntry[];
  /** False: started on an empty or damaged directory; votes again only after a rejoin. */
  readonly voter: boolean;
  /** Votes only in terms above this one; 0 for a replica that never lost its vote. */
  readonly votesAboveTerm: number;
}

export type RaftBody =
  | {
      readonly kind: 'vote-request';
      readonly pre: boolean;
      readonly lastIndex: number;
      readonly lastTerm: number;
      /** The candidate believes the leader gone; a voter probes for itself before it answers. */
      readonly hint: boolean;
      /** Leadership transfer: stickiness does not apply. */
      readonly force: boolean;
    }
  | { readonly kind: 'vote-reply'; readonly pre: boolean; readonly granted: boolean; readonly asked: number }
  | {
      readonly kind: 'append';
      readonly prevIndex: number;
      readonly prevTerm: number;
      readonly entries: readonly LogEntry[];
      readonly commit: number;
      /** Confirmation round of the leader (CheckQuorum, ReadIndex); echoed in the reply. */
      readonly round: number;
      readonly successor: ReplicaId | '';
    }
  | {
      readonly kind: 'append-reply';
      readonly ok: boolean;
      /** ok: everything up to here matches and is durable. Otherwise: try again at or below this index. */
      readonly index: number;
      /** Not ok: term of the entry at `index` in the follower's log. */
      readonly hintTerm: number;
      /** Not ok: the prevIndex that was refused. */
      readonly refused: number;
      readonly round: number;
    }
  | {
      readonly kind: 'snapshot';
      readonly index: number;
      readonly lastTerm: number;
      readonly offset: number;
      readonly total: number;
      readonly data: Uint8Array;
      readonly round: number;
    }
  | {
      readonly kind: 'snapshot-reply';
      readonly index: number;
      /** The next byte wanted; equal to the total once it is installed and durable. */
      readonly offset: number;
      readonly installed: boolean;
      readonly round: number;
    }
  | { readonly kind: 'timeout-now' }
  /** A replica without a vote asks everyone for their terms, and the leader for state and a confirmed commit index. */
  | { readonly kind: 'rejoin-request'; readonly nonce: number }
  | {
      readonly kind: 'rejoin-reply';
      readonly nonce: number;
      /** Leader only: its commit index, confirmed by a quorum round begun after the request; 0 otherwise. */
      readonly confirmedCommit: number;
      /** A life of the asker that was heard before and is not below this one; 0: there is none. */
      readonly knownIncarnationMs: number;
    };

export interface RaftMessage {
  readonly cluster: string;
  readonly epoch: number;
  /** FNV-1a over the sorted member list. */
  readonly memberHash: number;
  readonly from: ReplicaId;
  readonly to: ReplicaId;
  readonly term: number;
  readonly incarnation: Incarnation;
  readonly commandVersion: number;
  /** False: this replica has no vote now. */
  readonly voter: boolean;
  readonly body: RaftBody;
}

export interface Persist {
  /** Rises by one; tickets become durable in order. */
  readonly ticket: number;
  readonly hardState: PersistentState | undefined;
  /** Contiguous; replaces everything stored from its first index on. */
  readonly entries: readonly LogEntry[];
  readonly snapshot: Snapshot | undefined;
  /** The vote was regained, or an epoch learned: identity to store before anything after this ticket leaves. */
  readonly identity: PersistentIdentity | undefined;
}

/** `ctx` was given to readIndex; serve it once `index` is applied. `index` 0: this replica stopped leading. */
export interface ReadResult {
  readonly ctx: number;
  readonly index: number;
}

export interface Ready {
  readonly messages: readonly RaftMessage[];
  readonly persist: Persist | undefined;
  /** Bound to `persist.ticket`. */
  readonly afterPersist: readonly RaftMessage[];
  /** Replace the applied state by this before applying `committed`. */
  readonly restore: Snapshot | undefined;
  readonly committed: readonly LogEntry[];
  readonly reads: readonly ReadResult[];
  /** Ask the leader's subject whether anyone subscribes; answer with probeResult. */
  readonly probe: ReplicaId | undefined;
  /** The role or leader changed since the last Ready. */
  readonly changed: boolean;
}

export type RaftRole = 'follower' | 'pre-candidate' | 'candidate' | 'leader';

export interface RaftStatus {
  readonly id: ReplicaId;
  readonly role: RaftRole;
  readonly voter: boolean;
  readonly term: number;
  readonly leader: ReplicaId | '';
  readonly successor: ReplicaId | '';
  readonly commit: number;
  readonly lastIndex: number;
  readonly durableIndex: number;
  readonly applied: number;
  /** Leader only: monotonic ms of the last moment at which a quorum is known to have followed. */
  readonly quorumContactMs: number;
  /** Members heard from within two election timeouts (self included). */
  readonly reachable: readonly ReplicaId[];
  /** Members that said they have no vote. */
  readonly nonVoters: readonly ReplicaId[];
  /** The lowest command version that every member announced; 0 while one is unknown. */
  readonly minCommandVersion: number;
  readonly refusedMessages: number;
  readonly epoch: number;
}

export type ProposeResult =
  | { readonly ok: true; readonly index: number; readonly term: number }
  | { readonly ok: false; readonly reason: 'not-leader' | 'busy' | 'transferring' | 'too-large' };
