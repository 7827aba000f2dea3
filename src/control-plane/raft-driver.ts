/**
 * Drives the Raft core with real time, a bus and a disk, and applies what it commits. Everything here runs in the turn loop;
 * the core decides, this file carries out.
 *
 *   R1  what a ticket covers is durable before its messages leave and before the core hears of it, in ticket order;
 *   R2  committed entries are applied in the turn in which they commit, in order; one that cannot be decoded stops the
 *       replica, because skipping it would fork the state.
 */
import { assert } from '../lib/assert.ts';
import { BatonError, explain } from '../lib/errors.ts';
import { MetadataState, type FunctionChange } from '../core/metadata/metadata-state.ts';
import type { Incarnation } from '../core/model/fence.ts';
import type { MetadataCommand, MetadataOutcome } from '../core/model/metadata.ts';
import { Raft } from '../core/raft/raft.ts';
import type { LogEntry, Persist, RaftMessage, RaftStatus, Ready, Snapshot } from '../core/raft/types.ts';
import type { ReplicaId } from '../lib/ids.ts';
import type { BusSubscription } from '../ports/bus.ts';
import type { StoreIdentity } from '../ports/log-store.ts';
import type { Timer } from '../ports/system.ts';
import {
  COMMAND_VERSION,
  decodeMetadataCommand,
  decodeMetadataSnapshot,
  encodeMetadataCommand,
} from '../wire/metadata-codec.ts';
import { decodeRaftEnvelope, encodeRaftMessage } from '../wire/raft-codec.ts';
import { senderOf, type Subjects } from '../wire/subjects.ts';
import { Compaction } from './compaction.ts';
import type { ControlPlaneConfig, ControlPlanePorts } from './config.ts';
import type { DropCounter } from './drop-counter.ts';
import { LeaderDetector } from './leader-detector.ts';
import type { HintSource } from './term-beginning.ts';
import type { TurnLoop } from './turn-loop.ts';

const NO_PAYLOAD: Uint8Array = new Uint8Array(0);

export interface RaftEvents {
  /** One command applied; `change` says what it did to functions. */
  readonly onApplied: (index: number, change: FunctionChange | undefined) => void;
  /** Role, leader or vote changed. */
  readonly onChanged: (status: RaftStatus) => void;
  /** The leader that this replica follows is gone, says this source. */
  readonly onHint: (source: HintSource) => void;
  /** The vote of a candidate for itself is on the disk. */
  readonly onOwnVote: () => void;
}

interface Proposal {
  readonly term: number;
  readonly resolve: (outcome: MetadataOutcome) => void;
  readonly reject: (error: Error) => void;
}

interface Read {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class RaftDriver {
  readonly #config: ControlPlaneConfig;
  readonly #ports: ControlPlanePorts;
  readonly #subjects: Subjects;
  readonly #loop: TurnLoop;
  readonly #drops: DropCounter;
  readonly #events: RaftEvents;
  readonly #raft: Raft;
  readonly #detector: LeaderDetector;
  readonly #compaction: Compaction;
  #identity: StoreIdentity;
  #state = new MetadataState();
  #lastAppliedTerm = 0;
  readonly #proposals = new Map<number, Proposal>();
  readonly #reads = new Map<number, Read>();
  #nextRead = 0;
  #warnedOfEpoch = 0;
  /** NATS servers, by the member that spoke through it last. */
  readonly #servers = new Map<ReplicaId, string>();
  /** Subjects of the members, made once: a string that is made for each message is also hashed for each. */
  readonly #peers: ReadonlyMap<ReplicaId, string>;
  /** R1: tickets whose write is running, oldest first. */
  readonly #tickets: { readonly ticket: number; readonly after: readonly RaftMessage[]; done: boolean }[] =
    [];
  #identityChain: Promise<void> = Promise.resolve();
  #subscription: BusSubscription | undefined;
  #timer: Timer | undefined;
  #stopped = false;

  private constructor(
    config: ControlPlaneConfig,
    ports: ControlPlanePorts,
    subjects: Subjects,
    loop: TurnLoop,
    drops: DropCounter,
    events: RaftEvents,
    identity: StoreIdentity,
    raft: Raft,
  ) {
    this.#config = config;
    this.#ports = ports;
    this.#subjects = subjects;
    this.#peers = new Map(config.members.map(({ id }) => [id, subjects.raft(id, config.replica)]));
    this.#loop = loop;
    this.#drops = drops;
    this.#events = events;
    this.#identity = identity;
    this.#raft = raft;
    this.#compaction = new Compaction(config, ports, loop, {
      onCompacted: (snapshot, keepFrom) => loop.raft(() => raft.compacted(snapshot, keepFrom)),
      onFailed: (error) => loop.raft(() => this.#storageFailed(error)),
    });
    this.#detector = new LeaderDetector(config, ports, subjects, (leader, source) => {
      events.onHint(source);
      loop.raft(() => raft.leaderGone(leader, ports.clock.now()));
    });
  }

  /**
   * Opens the directory, or joins as a replica without a vote where it is empty or damaged.
   * @throws BatonError `wrong-cluster` when the directory belongs to another cluster or replica
   */
  static async open(
    config: ControlPlaneConfig,
    ports: ControlPlanePorts,
    subjects: Subjects,
    loop: TurnLoop,
    drops: DropCounter,
    events: RaftEvents,
  ): Promise<RaftDriver> {
    let opened = await ports.store.open();
    if (opened.kind !== 'ready') {
      const why = opened.kind === 'empty' ? 'the data directory is empty' : `damaged: ${opened.what}`;
      ports.logger.warn({ why }, 'starting without a vote, until the leader has given the state back');
      await ports.store.create({
        cluster: config.cluster,
        replica: config.replica,
        epoch: 1,
        incarnationMs: 0,
        voter: false,
        votesAboveTerm: 0,
      });
      opened = await ports.store.open();
    }
    if (opened.kind !== 'ready') throw new BatonError('io', 'the data directory cannot be created');
    const { identity } = opened;
    if (identity.cluster !== config.cluster || identity.replica !== config.replica) {
      throw new BatonError(
        'wrong-cluster',
        `the data directory belongs to replica ${identity.replica} of cluster ${identity.cluster}`,
        { hint: `point dataDir at the directory of replica ${config.replica} of cluster ${config.cluster}` },
      );
    }
    if (opened.tornBytes > 0)
      ports.logger.info({ bytes: opened.tornBytes }, 'an incomplete last record was cut');
    const incarnation: Incarnation = {
      ms: Math.max(identity.incarnationMs + 1, Math.floor(ports.clock.wall())),
      nonce: ports.nonce,
    };
    const lived: StoreIdentity = { ...identity, incarnationMs: incarnation.ms };
    await ports.store.setIdentity(lived);
    const raft = new Raft(
      {
        cluster: config.cluster,
        id: config.replica,
        members: config.members.map((member) => member.id),
        epoch: identity.epoch,
        incarnation,
        electionTimeoutMs: config.electionTimeoutMs,
        heartbeatMs: config.heartbeatMs,
        successorGraceMs: 30,
        commandVersion: COMMAND_VERSION,
        random: ports.random.fork('raft'),
      },
      {
        hardState: {
          term: opened.hardState.term,
          vote: opened.hardState.vote as ReplicaId | '',
          commit: opened.hardState.commit,
        },
        snapshot: opened.snapshot,
        entries: opened.entries,
        voter: identity.voter,
        votesAboveTerm: identity.votesAboveTerm,
      },
      ports.clock.now(),
    );
    return new RaftDriver(config, ports, subjects, loop, drops, events, lived, raft);
  }

  start(): void {
    const { raftBus } = this.#ports;
    this.#subscription = raftBus.subscribe(this.#subjects.raftInbox(this.#config.replica), (message) => {
      const from = senderOf(message.subject);
      if (message.payload.length === 0) {
        // A probe: that we answer says that we are alive; a leader shows itself to all.
        if (message.reply !== '') raftBus.publish(message.reply, NO_PAYLOAD);
        this.#loop.raft(() => this.#raft.probed(this.#ports.clock.now()));
        return;
      }
      this.#loop.raft(() => this.#drops.guard('raft', from, () => this.#receive(from, message.payload)));
    });
    this.#detector.start();
    this.#tick();
  }

  #receive(from: string, payload: Uint8Array): void {
    const { message, natsServer } = decodeRaftEnvelope(payload);
    // Identity is the subject's, which NATS permissions guard; a body that claims another is refused.
    if (message.from !== from) throw new BatonError('unauthorized', `${from} claims to be ${message.from}`);
    this.#raft.step(message, this.#ports.clock.now());
    this.#detector.heard(message.from);
    if (this.#config.members.some(({ id }) => id === from)) this.#servers.set(message.from, natsServer);
    if (message.epoch > this.#identity.epoch) this.#warnOfEpoch(message);
  }

  /** The cluster was recovered without this replica, whose directory is of before. */
  #warnOfEpoch({ from, epoch }: RaftMessage): void {
    if (this.#warnedOfEpoch >= epoch || this.#raft.status().epoch >= epoch) return;
    this.#warnedOfEpoch = epoch;
    this.#ports.logger.error(
      { from, epoch, own: this.#identity.epoch },
      'the cluster was recovered under a higher epoch without this replica: delete its data directory and start it again',
    );
  }

  #tick(): void {
    if (this.#stopped) return;
    this.#loop.raft(() => this.#raft.tick(this.#ports.clock.now()));
    this.#timer = this.#ports.clock.after(this.#config.tickMs, () => this.#tick());
  }

  /** At the end of each turn: carry out what the core wants, until it wants nothing. */
  pump(): void {
    if (this.#stopped) return;
    for (;;) {
      const ready = this.#raft.takeReady();
      if (ready === undefined) return;
      this.#carryOut(ready);
    }
  }

  #carryOut(ready: Ready): void {
    for (const message of ready.messages) this.#send(message);
    if (ready.persist !== undefined) this.#persist(ready.persist, ready.afterPersist);
    if (ready.restore !== undefined) this.#restore(ready.restore);
    for (const entry of ready.committed) if (!this.#apply(entry)) return;
    for (const { ctx, index } of ready.reads) this.#finishRead(ctx, index);
    if (ready.probe !== undefined) this.#probe(ready.probe);
    if (ready.changed) {
      const status = this.#raft.status();
      this.#detector.follow(status.role === 'follower' ? status.leader : '');
      if (status.role !== 'leader') this.#failProposals();
      this.#events.onChanged(status);
    }
    this.#compaction.consider(this.#state, this.#lastAppliedTerm);
  }

  #send(message: RaftMessage): void {
    const { raftBus } = this.#ports;
    const payload = encodeRaftMessage(message, raftBus.status().server);
    raftBus.publish(this.#peers.get(message.to) ?? this.#subjects.raft(message.to, message.from), payload);
  }

  #persist(persist: Persist, after: readonly RaftMessage[]): void {
    const entry = { ticket: persist.ticket, after, done: false };
    this.#tickets.push(entry);
    const batch = { hardState: persist.hardState, entries: persist.entries, snapshot: persist.snapshot };
    if (persist.identity !== undefined) {
      this.#identity = { ...this.#identity, ...persist.identity };
      const identity = this.#identity;
      this.#identityChain = this.#identityChain.then(() => this.#ports.store.setIdentity(identity));
    }
    const identityDone = persist.identity === undefined ? undefined : this.#identityChain;
    const saved = this.#ports.store.save(batch);
    Promise.all([saved, identityDone]).then(
      () => {
        entry.done = true;
        this.#loop.raft(() => this.#confirmTickets());
        return undefined;
      },
      (error: unknown) => this.#loop.raft(() => this.#storageFailed(error)),
    );
  }

  /** R1. */
  #confirmTickets(): void {
    while (this.#tickets[0]?.done === true) {
      const entry = this.#tickets.shift();
      assert(entry !== undefined, 'there is a first ticket');
      for (const message of entry.after) this.#send(message);
      if (this.#raft.role === 'candidate') this.#events.onOwnVote();
      this.#raft.persisted(entry.ticket, this.#ports.clock.now());
    }
  }

  #storageFailed(error: unknown): void {
    this.#raft.storageFailed();
    this.#fatal(new BatonError('io', 'the disk refused a write; this replica stops', { cause: error }));
  }

  #fatal(error: Error): void {
    if (this.#stopped) return;
    this.#ports.logger.error({ error: explain(error) }, 'the replica cannot go on');
    this.#failProposals();
    this.#ports.onFatal(error);
  }

  #restore(snapshot: Snapshot): void {
    this.#state = MetadataState.restore(decodeMetadataSnapshot(snapshot.data));
    this.#lastAppliedTerm = snapshot.term;
    this.#compaction.restored(snapshot.index);
  }

  /** R2. False: this replica cannot go on. */
  #apply(entry: LogEntry): boolean {
    let command: MetadataCommand;
    try {
      command = decodeMetadataCommand(entry.data);
    } catch (cause) {
      const error = new BatonError('damaged', `entry ${entry.index} cannot be applied by this version`, {
        hint: 'run the newest version on every replica',
        cause,
      });
      this.#raft.storageFailed();
      this.#fatal(error);
      return false;
    }
    const { outcome, change } = this.#state.apply(entry.index, command);
    this.#lastAppliedTerm = entry.term;
    const proposal = this.#proposals.get(entry.index);
    if (proposal !== undefined) {
      this.#proposals.delete(entry.index);
      if (proposal.term === entry.term && outcome !== undefined) proposal.resolve(outcome);
      else proposal.reject(overtaken());
    }
    this.#events.onApplied(entry.index, change);
    return true;
  }

  #failProposals(): void {
    for (const [index, proposal] of this.#proposals) {
      this.#proposals.delete(index);
      proposal.reject(overtaken());
    }
  }

  #probe(leader: ReplicaId): void {
    void this.#detector.ask(leader).then((gone) => {
      this.#loop.raft(() => this.#raft.probeResult(leader, gone, this.#ports.clock.now()));
      return undefined;
    });
  }

  /**
   * Resolves with the outcome once the command is committed and applied here.
   * @throws BatonError `not-leader`, `unavailable`, or `outcome-unknown` when leadership changed meanwhile
   */
  propose(command: Exclude<MetadataCommand, { kind: 'no-op' }>): Promise<MetadataOutcome> {
    return new Promise((resolve, reject) => {
      this.#loop.raft(() => {
        const result = this.#raft.propose(encodeMetadataCommand(command));
        if (result.ok) {
          this.#proposals.set(result.index, { term: result.term, resolve, reject });
          return;
        }
        if (result.reason === 'not-leader')
          reject(new BatonError('not-leader', 'this replica does not lead'));
        else reject(new BatonError('unavailable', `the leader takes no registration now (${result.reason})`));
      });
    });
  }

  /** Resolves when the state here is at least as new as everything acknowledged before the call. Leader only. */
  readIndex(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#loop.raft(() => {
        const ctx = ++this.#nextRead;
        if (!this.#raft.readIndex(ctx))
          return reject(new BatonError('not-leader', 'this replica does not lead'));
        this.#reads.set(ctx, { resolve, reject });
      });
    });
  }

  #finishRead(ctx: number, index: number): void {
    const read = this.#reads.get(ctx);
    if (read === undefined) return;
    this.#reads.delete(ctx);
    if (index === 0) return read.reject(new BatonError('not-leader', 'this replica stopped leading'));
    assert(this.#state.appliedIndex >= index, 'what is committed was applied in the same turn');
    read.resolve();
  }

  transferLeadership(to: ReplicaId): boolean {
    const begun = this.#raft.transferLeadership(to);
    this.#loop.raft(() => undefined);
    return begun;
  }

  /** Every artifact that the state as of `appliedIndex` names is here. */
  artifactsReady(appliedIndex: number): void {
    this.#loop.raft(() => this.#raft.artifactsReady(appliedIndex, this.#ports.clock.now()));
  }

  mayAct(): boolean {
    return !this.#stopped && this.#raft.mayAct(this.#ports.clock.now());
  }

  status(): RaftStatus {
    return this.#raft.status();
  }

  get state(): MetadataState {
    return this.#state;
  }

  get epoch(): number {
    return this.#identity.epoch;
  }

  /** NATS servers that other members speak through, or did when they were heard last. */
  get servers(): readonly string[] {
    return [...this.#servers.values()];
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#subscription?.unsubscribe();
    this.#detector.stop();
    this.#failProposals();
    for (const read of this.#reads.values())
      read.reject(new BatonError('not-leader', 'this replica is stopping'));
    await this.#identityChain.catch(() => undefined);
    await this.#ports.store.close();
  }
}

function overtaken(): BatonError {
  return new BatonError('outcome-unknown', 'leadership changed before the command was acknowledged', {
    hint: 'retry with the same request id: it takes effect once',
  });
}
