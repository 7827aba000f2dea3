/**
 * The mutable state that the parts of the core share, and its output buffers. Only this folder touches it.
 *
 *   S1  a message leaves only when the term and vote it speaks for are durable: `send` decides where it goes;
 *   S2  term never falls, and the vote changes only with the term or from none;
 *   S3  tickets become durable in order.
 */
import type { Incarnation } from '../model/fence.ts';
import { assert } from '../../lib/assert.ts';
import type { ReplicaId } from '../../lib/ids.ts';
import { RaftLog } from './log.ts';
import { Peer } from './progress.ts';
import type {
  LogEntry,
  RaftBody,
  Persist,
  RaftBoot,
  RaftConfig,
  RaftMessage,
  RaftRole,
  ReadResult,
  Ready,
  Snapshot,
} from './types.ts';

export type VoteRequest = Extract<RaftBody, { kind: 'vote-request' }>;

export interface PendingRead {
  readonly index: number;
  readonly round: number;
  /** A read of the shell, or a replica that rejoins. */
  readonly waiter:
    | { readonly kind: 'read'; readonly ctx: number }
    | { readonly kind: 'rejoin'; readonly peer: ReplicaId; readonly nonce: number };
}

interface Inflight {
  readonly ticket: number;
  readonly lastIndex: number;
  readonly lastTerm: number;
}

export interface Rejoin {
  readonly nonce: number;
  readonly answered: Set<ReplicaId>;
  highestTerm: number;
  /** 0: not yet. */
  confirmedCommit: number;
  /** Every artifact that the state as of this index names is here. */
  artifactsUpTo: number;
  nextAskMs: number;
}

export class RaftState {
  readonly config: RaftConfig;
  readonly memberHash: number;
  readonly quorum: number;
  readonly peers: ReadonlyMap<ReplicaId, Peer>;
  readonly log: RaftLog;

  role: RaftRole = 'follower';
  term: number;
  vote: ReplicaId | '';
  leader: ReplicaId | '' = '';
  epoch: number;
  incarnation: Incarnation;
  voter: boolean;
  votesAboveTerm: number;
  nowMs: number;

  // Follower.
  electionDeadlineMs = 0;
  leaderContactMs: number = Number.NEGATIVE_INFINITY;
  leaderGone = false;
  successor: ReplicaId | '' = '';
  /** Known to match the leader's log up to here. */
  matched = 0;
  lastAcked = 0;
  leaderRound = 0;
  incoming: { index: number; term: number; total: number; parts: Uint8Array[]; received: number } | undefined;
  readonly deferredVotes: Map<ReplicaId, { request: VoteRequest; term: number; untilMs: number }> = new Map();
  rejoin: Rejoin | undefined;

  // Candidate.
  votes: Map<ReplicaId, boolean> = new Map();
  campaignHint = false;
  campaignForce = false;

  // Leader.
  termStartIndex = 0;
  round = 0;
  roundStarts: { round: number; startMs: number }[] = [];
  quorumContactMs: number = Number.NEGATIVE_INFINITY;
  confirmedRound = 0;
  nextHeartbeatMs = 0;
  reads: PendingRead[] = [];
  transfer: { to: ReplicaId; deadlineMs: number; sent: boolean } | undefined;
  wantAppend = false;
  wantHeartbeat = false;

  // Output.
  #messages: RaftMessage[] = [];
  #afterPersist: RaftMessage[] = [];
  #inflight: Inflight[] = [];
  #ticket = 0;
  #durableTicket = 0;
  #hardTicket = 0;
  #hardDirty = false;
  #identityDirty = false;
  #unstableFrom = 0;
  #snapshotToStore: Snapshot | undefined;
  #changed = true;
  #appliedTo: number;
  restore: Snapshot | undefined;
  readResults: ReadResult[] = [];
  probe: ReplicaId | undefined;
  failed = false;
  refused = 0;

  constructor(config: RaftConfig, boot: RaftBoot, nowMs: number) {
    const members = config.members;
    assert([1, 3, 5].includes(members.length), 'one, three or five members');
    assert(
      members.includes(config.id) && new Set(members).size === members.length,
      'distinct members, this one included',
    );
    this.config = config;
    this.memberHash = hashMembers(members);
    this.quorum = Math.floor(members.length / 2) + 1;
    this.peers = new Map(members.filter((id) => id !== config.id).map((id) => [id, new Peer(id)]));
    this.log = new RaftLog(boot.snapshot, boot.entries, boot.hardState.commit);
    this.term = boot.hardState.term;
    this.vote = boot.hardState.vote;
    this.epoch = config.epoch;
    this.incarnation = config.incarnation;
    this.voter = boot.voter;
    this.votesAboveTerm = boot.votesAboveTerm;
    this.nowMs = nowMs;
    this.#appliedTo = boot.snapshot?.index ?? 0;
    this.restore = boot.snapshot;
    assert(this.log.lastTerm <= this.term, 'the log is not from a later term than the hard state');
  }

  get id(): ReplicaId {
    return this.config.id;
  }

  get applied(): number {
    return this.#appliedTo;
  }

  get isHardDurable(): boolean {
    return !this.#hardDirty && this.#hardTicket <= this.#durableTicket;
  }

  setTerm(term: number): void {
    assert(term > this.term, 'S2: the term only rises');
    this.term = term;
    this.vote = '';
    this.#hardDirty = true;
    this.#changed = true;
  }

  setVote(vote: ReplicaId): void {
    assert(this.vote === '' || this.vote === vote, 'S2: one vote a term');
    if (this.vote === vote) return;
    this.vote = vote;
    this.#hardDirty = true;
  }

  setEpoch(epoch: number): void {
    assert(epoch > this.epoch, 'the epoch only rises');
    this.epoch = epoch;
    this.#identityDirty = true;
    this.#changed = true;
  }

  setIncarnation(ms: number): void {
    assert(ms > this.incarnation.ms, 'a later life is above an earlier one');
    this.incarnation = { ...this.incarnation, ms };
    this.#identityDirty = true;
  }

  setVoter(voter: boolean, votesAboveTerm: number): void {
    this.voter = voter;
    this.votesAboveTerm = votesAboveTerm;
    this.#identityDirty = true;
    this.#changed = true;
  }

  roleChanged(): void {
    this.#changed = true;
  }

  wrote(firstIndex: number): void {
    this.#unstableFrom = this.#unstableFrom === 0 ? firstIndex : Math.min(this.#unstableFrom, firstIndex);
  }

  restoreFrom(snapshot: Snapshot): void {
    this.log.restore(snapshot);
    this.#unstableFrom = 0;
    this.#snapshotToStore = snapshot;
    this.restore = snapshot;
    this.#appliedTo = snapshot.index;
  }

  send(to: ReplicaId, body: RaftBody): void {
    const message: RaftMessage = {
      cluster: this.config.cluster,
      epoch: this.epoch,
      memberHash: this.memberHash,
      from: this.config.id,
      to,
      term: this.term,
      incarnation: this.incarnation,
      commandVersion: this.config.commandVersion,
      voter: this.voter,
      body,
    };
    const waits = !this.isHardDurable || this.#identityDirty || body.kind === 'snapshot-reply';
    (waits ? this.#afterPersist : this.#messages).push(message);
  }

  /** Takes what the shell has to do next; undefined when there is nothing. */
  takeReady(): Ready | undefined {
    const committed = this.#takeCommitted();
    const persist = this.#takePersist();
    let afterPersist = this.#afterPersist;
    let messages = this.#messages;
    this.#afterPersist = [];
    this.#messages = [];
    if (persist === undefined && afterPersist.length > 0) {
      messages = [...messages, ...afterPersist];
      afterPersist = [];
    }
    const { restore, readResults: reads, probe } = this;
    const changed = this.#changed;
    this.restore = undefined;
    this.readResults = [];
    this.probe = undefined;
    this.#changed = false;
    if (
      !changed &&
      messages.length === 0 &&
      persist === undefined &&
      restore === undefined &&
      committed.length === 0 &&
      reads.length === 0 &&
      probe === undefined
    ) {
      return undefined;
    }
    return { messages, persist, afterPersist, restore, committed, reads, probe, changed };
  }

  #takeCommitted(): LogEntry[] {
    const { commit } = this.log;
    if (this.#appliedTo >= commit) return [];
    const entries = this.log.slice(this.#appliedTo + 1, commit, Number.POSITIVE_INFINITY);
    this.#appliedTo = commit;
    return entries;
  }

  #takePersist(): Persist | undefined {
    const entries =
      this.#unstableFrom === 0
        ? []
        : this.log.slice(this.#unstableFrom, this.log.lastIndex, Number.POSITIVE_INFINITY);
    const mustWait = this.#afterPersist.length > 0 && this.#inflight.length > 0;
    const snapshot = this.#snapshotToStore;
    if (
      !this.#hardDirty &&
      !this.#identityDirty &&
      entries.length === 0 &&
      snapshot === undefined &&
      !mustWait
    ) {
      return undefined;
    }
    const ticket = ++this.#ticket;
    if (this.#hardDirty) this.#hardTicket = ticket;
    const identity = this.#identityDirty
      ? {
          epoch: this.epoch,
          incarnationMs: this.incarnation.ms,
          voter: this.voter,
          votesAboveTerm: this.votesAboveTerm,
        }
      : undefined;
    this.#inflight.push({ ticket, lastIndex: this.log.lastIndex, lastTerm: this.log.lastTerm });
    this.#hardDirty = false;
    this.#identityDirty = false;
    this.#unstableFrom = 0;
    this.#snapshotToStore = undefined;
    const hardState = { term: this.term, vote: this.vote, commit: this.log.commit };
    return { ticket, hardState, entries, snapshot, identity };
  }

  confirm(ticket: number): void {
    assert(ticket === this.#durableTicket + 1, 'S3: tickets become durable in order');
    this.#durableTicket = ticket;
    const done = this.#inflight.shift();
    assert(done?.ticket === ticket, 'S3: the oldest ticket');
    this.log.confirmDurable(done.lastIndex, done.lastTerm);
  }
}

/** FNV-1a over the sorted ids. */
export function hashMembers(members: readonly ReplicaId[]): number {
  let hash = 0x811c9dc5;
  for (const char of members.toSorted().join(',')) {
    hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  }
  return hash >>> 0;
}
