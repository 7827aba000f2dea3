/**
 * The control-plane role: one replica. Wires the turn loop, Raft, and, while this replica leads, a Leadership; and is the
 * backend of the API.
 */
import { assert } from '../lib/assert.ts';
import { BatonError, explain } from '../lib/errors.ts';
import {
  type Digest,
  type FunctionName,
  type FunctionUid,
  type ReplicaId,
  type SandboxId,
  type WorkerId,
} from '../lib/ids.ts';
import type {
  DataPlaneRow,
  DrainRow,
  FunctionRow,
  SandboxRow,
  ScaleView,
  WorkerRow,
} from '../core/leader/types.ts';
import type { FunctionChange } from '../core/metadata/metadata-state.ts';
import type { FunctionRecord } from '../core/model/function.ts';
import type { RequestId } from '../core/model/metadata.ts';
import type { RaftStatus } from '../core/raft/types.ts';
import type {
  ControlPlaneBackend,
  EventPage,
  EventQuery,
  LeaderView,
  LogCursors,
  LogPage,
  MemberView,
  Metric,
  PutRequest,
  PutResult,
  TermView,
} from '../api/backend.ts';
import type { StoredArtifact } from '../ports/artifact-store.ts';
import { subjects, type Subjects } from '../wire/subjects.ts';
import { Artifacts } from './artifacts.ts';
import type { ControlPlaneConfig, ControlPlanePorts } from './config.ts';
import { Cordons } from './cordons.ts';
import { DropCounter } from './drop-counter.ts';
import { EventLog } from './event-log.ts';
import { Leadership } from './leadership.ts';
import { replicaMetrics } from './metrics.ts';
import { RaftDriver } from './raft-driver.ts';
import { refusal, Registrations } from './registrations.ts';
import { TermBeginning } from './term-beginning.ts';
import { TurnLoop } from './turn-loop.ts';
import { workerLogs } from './worker-logs.ts';

const SLICE_MS = 5;
const MAX_BULK = 100_000;
const ARTIFACT_TIMEOUT_MS = 30_000;
const CONFIRMED_ARTIFACTS = { digests: 10_000, keepMs: 300_000 } as const;

export class ControlPlane implements ControlPlaneBackend {
  readonly cluster: string;
  readonly members: readonly MemberView[];
  readonly self: MemberView;
  readonly #config: ControlPlaneConfig;
  readonly #ports: ControlPlanePorts;
  readonly #subjects: Subjects;
  readonly #loop: TurnLoop;
  readonly #drops: DropCounter;
  readonly #events: EventLog;
  readonly #artifacts: Artifacts;
  readonly #registrations: Registrations;
  readonly #cordons: Cordons;
  readonly #beginning: TermBeginning;
  #raft: RaftDriver | undefined;
  #leadership: Leadership | undefined;
  #stopped = false;

  constructor(config: ControlPlaneConfig, ports: ControlPlanePorts) {
    const self = config.members.find((member) => member.id === config.replica);
    assert(self !== undefined, 'this replica is a member');
    this.#config = config;
    this.#ports = ports;
    this.cluster = config.cluster;
    this.members = config.members;
    this.self = self;
    this.#subjects = subjects(config.cluster);
    this.#drops = new DropCounter(ports.logger);
    this.#events = new EventLog(ports.clock, ports.logger);
    this.#beginning = new TermBeginning(ports.clock);
    this.#loop = new TurnLoop(ports.clock, {
      sliceMs: SLICE_MS,
      maxBulk: MAX_BULK,
      endOfTurn: () => this.#endOfTurn(),
      onError: (error) => this.#onError(error),
    });
    this.#artifacts = new Artifacts(
      {
        self,
        members: config.members,
        pullTimeoutMs: ARTIFACT_TIMEOUT_MS,
        keepUnnamedMs: 3_600_000,
        sweepEveryMs: 600_000,
        confirmations: CONFIRMED_ARTIFACTS,
      },
      { clock: ports.clock, store: ports.artifacts, peers: ports.peers, logger: ports.logger },
      {
        named: () => this.#driver().state.artifacts(),
        isNamed: (digest) => this.#driver().state.names(digest),
        term: () => this.#driver().status().term,
      },
    );
    this.#registrations = new Registrations(config.commitTimeoutMs, ports.clock, {
      artifacts: this.#artifacts,
      driver: () => this.#driver(),
      leading: () => this.#leading(),
      missing: () => this.#missing(),
    });
    this.#cordons = new Cordons({
      brain: () => this.#leading().brain,
      now: () => ports.clock.now(),
      flush: () => this.#loop.bulk(() => undefined),
      until: (timeoutMs, condition) => this.#until(timeoutMs, condition),
    });
  }

  /** @throws BatonError when the directory is another's, or cannot be opened */
  async start(): Promise<void> {
    this.#raft = await RaftDriver.open(this.#config, this.#ports, this.#subjects, this.#loop, this.#drops, {
      onApplied: (index, change) => this.#onApplied(index, change),
      onChanged: (status) => this.#onChanged(status),
      onHint: (source) => this.#beginning.hint(source),
      onOwnVote: () => this.#beginning.reach('own-vote'),
    });
    this.#raft.start();
    this.#artifacts.start();
    if (!this.#raft.status().voter) this.#collectArtifacts();
  }

  /** Hands leadership over first, when there is somebody to take it. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    if (this.#raft?.status().role === 'leader' && this.members.length > 1) {
      await this.transferLeadership('').catch(() => undefined);
    }
    this.#stopped = true;
    this.#leadership?.stop();
    this.#artifacts.stop();
    await this.#raft?.stop();
    this.#loop.stop();
  }

  #driver(): RaftDriver {
    if (this.#raft === undefined) throw new BatonError('unavailable', 'the replica is starting');
    return this.#raft;
  }

  #endOfTurn(): void {
    this.#raft?.pump();
    this.#beginLeadership();
    this.#leadership?.flush();
  }

  /** A broken assertion is a bug whose damage is unknown: this replica stops, the others go on. */
  #onError(error: unknown): void {
    this.#ports.logger.error({ err: error }, 'a broken invariant stops this replica');
    this.#ports.onFatal(error instanceof Error ? error : new Error(String(error)));
  }

  #onApplied(index: number, change: FunctionChange | undefined): void {
    this.#leadership?.applied(index, change);
  }

  #onChanged(status: RaftStatus): void {
    const { role, term, leader } = status;
    const { logger, clock } = this.#ports;
    this.#beginning.changed(status);
    logger.info({ role, term, leader, voter: status.voter, atMs: clock.now() }, 'raft');
    const leadership = this.#leadership;
    if (leadership !== undefined && (role !== 'leader' || term !== leadership.fence.term)) {
      leadership.stop();
      this.#leadership = undefined;
    }
  }

  /** Only once the no-op of the own term is applied. */
  #beginLeadership(): void {
    const raft = this.#raft;
    if (raft === undefined || this.#leadership !== undefined || this.#stopped || !raft.mayAct()) return;
    this.#beginning.reach('no-op');
    this.#leadership = new Leadership(
      this.#config,
      this.#ports,
      this.#subjects,
      raft,
      this.#loop,
      this.#drops,
      this.#events,
      this.#beginning,
    );
    this.#leadership.start();
  }

  /** A replica without a vote: fetch what its state names, until nothing is missing. */
  #collectArtifacts(): void {
    const retry = (): void => void this.#ports.clock.after(500, () => this.#collectArtifacts());
    if (this.#stopped || this.#driver().status().voter) return;
    const { appliedIndex } = this.#driver().state;
    this.#artifacts.holdAll(this.#driver().state.artifacts()).then(
      (missing) => {
        if (missing.length === 0) this.#driver().artifactsReady(appliedIndex);
        retry();
        return undefined;
      },
      (error: unknown) => {
        this.#ports.logger.warn({ error: explain(error) }, 'artifacts not collected');
        retry();
      },
    );
  }

  // ---- backend ----------------------------------------------------------------------------------------------------

  raft(): RaftStatus {
    return this.#driver().status();
  }

  /** Where the state stands that {@link stateHash} is of. */
  appliedIndex(): number {
    return this.#driver().state.appliedIndex;
  }

  stateHash(): string {
    return this.#driver().state.hash();
  }

  isReady(): boolean {
    return !this.#stopped && this.#raft !== undefined;
  }

  leader(): LeaderView {
    if (this.#leadership !== undefined && this.#driver().mayAct()) return { kind: 'self' };
    const { role, leader } = this.#driver().status();
    const member = role === 'leader' ? undefined : this.members.find(({ id }) => id === leader);
    if (member === undefined) return { kind: 'none' };
    return { kind: 'other', member };
  }

  #leading(): Leadership {
    if (this.#leadership === undefined || !this.#driver().mayAct()) {
      throw new BatonError('not-leader', 'this replica does not lead');
    }
    return this.#leadership;
  }

  /** Refused by quorum: which members this leader has not heard. */
  #missing(): readonly string[] {
    const { reachable } = this.#driver().status();
    return this.members.map(({ id }) => id).filter((id) => !reachable.includes(id));
  }

  put(request: PutRequest): Promise<PutResult> {
    return this.#registrations.put(request);
  }

  delete(
    name: FunctionName,
    requestId: RequestId,
    ifGeneration: number | undefined,
  ): Promise<{ uid: number; laggards: readonly string[] }> {
    return this.#registrations.delete(name, requestId, ifGeneration);
  }

  async functions(): Promise<readonly FunctionRecord[]> {
    await this.#driver().readIndex();
    return this.#driver().state.list();
  }

  async function(name: FunctionName): Promise<FunctionRecord | undefined> {
    await this.#driver().readIndex();
    return this.#driver().state.get(name);
  }

  scales(): readonly FunctionRow[] {
    return this.#leading().brain.functions();
  }

  scale(uid: FunctionUid): ScaleView | undefined {
    return this.#leading().brain.scale(uid);
  }

  workers(): readonly WorkerRow[] {
    return this.#leading().brain.workers();
  }

  sandboxes(): readonly SandboxRow[] {
    return this.#leading().brain.sandboxes();
  }

  dataPlanes(): readonly DataPlaneRow[] {
    return this.#leading().brain.dataPlanes();
  }

  events(query: EventQuery): EventPage {
    return this.#events.list(query);
  }

  term(): TermView {
    const { cause } = this.#beginning.story;
    const { electionMs } = this.#beginning;
    return { cause, electionMs, ...this.#leading().brain.reconstruction() };
  }

  cordon(worker: WorkerId, on: boolean): Promise<void> {
    return this.#cordons.set(worker, { on, drain: false });
  }

  async drain(worker: WorkerId): Promise<DrainRow> {
    await this.#cordons.set(worker, { on: true, drain: true });
    return this.drainOf(worker);
  }

  drainOf(worker: WorkerId): DrainRow {
    return this.#cordons.drainOf(worker);
  }

  async transferLeadership(to: ReplicaId | ''): Promise<{ leader: ReplicaId | ''; term: number }> {
    const raft = this.#driver();
    const before = raft.status();
    if (before.role !== 'leader') throw new BatonError('not-leader', 'this replica does not lead');
    const target = to === '' ? before.successor : to;
    if (target === before.id) return { leader: before.id, term: before.term };
    if (target === '' || !raft.transferLeadership(target)) {
      throw new BatonError(
        'unavailable',
        `leadership cannot go to ${target === '' ? 'anybody' : target} now`,
        {
          hint: 'the replica must be running, have a vote, and no other transfer may be under way',
        },
      );
    }
    const moved = await this.#until(
      2_000,
      () => raft.status().leader !== '' && raft.status().leader !== before.id,
    );
    const after = raft.status();
    if (!moved) throw new BatonError('timeout', `leadership stayed with ${before.id}`, { hint: 'try again' });
    return { leader: after.leader, term: after.term };
  }

  /** Level-triggered, bounded; false when the time ran out. */
  async #until(timeoutMs: number, condition: () => boolean): Promise<boolean> {
    const { clock } = this.#ports;
    const deadline = clock.now() + timeoutMs;
    while (!this.#stopped) {
      if (condition()) return true;
      if (clock.now() >= deadline) return false;
      await new Promise<void>((resolve) => void clock.after(5, resolve));
    }
    return false;
  }

  async logs(query: {
    function: FunctionName | '';
    sandbox: SandboxId | '';
    cursors: readonly LogCursors[];
    limit: number;
  }): Promise<LogPage> {
    const { brain } = this.#leading();
    const record = query.function === '' ? undefined : await this.function(query.function);
    if (query.function !== '' && record === undefined) throw refusal({ kind: 'not-found' }, query.function);
    const uid = record?.uid ?? (0 as FunctionUid);
    return workerLogs(
      { bus: this.#ports.bus, subjects: this.#subjects, self: this.#config.replica },
      brain.workers().map(({ id }) => id),
      { ...query, uid },
    );
  }

  hasArtifact(digest: Digest): boolean {
    return this.#artifacts.has(digest);
  }

  readArtifact(digest: Digest): AsyncIterable<Uint8Array> {
    return this.#artifacts.read(digest);
  }

  async uploadArtifact(
    content: AsyncIterable<Uint8Array>,
    expected: Digest | undefined,
  ): Promise<StoredArtifact> {
    const stored = await this.#artifacts.put(content, expected);
    const deadline = this.#ports.clock.now() + this.#config.commitTimeoutMs;
    for (;;) {
      const leader = this.leader();
      if (leader.kind === 'self') {
        await this.#artifacts.replicate(stored.digest, this.self.http);
        return stored;
      }
      if (leader.kind === 'other') {
        await this.#ports.peers.askToReplicate(
          leader.member.http,
          stored.digest,
          this.self.http,
          ARTIFACT_TIMEOUT_MS,
        );
        return stored;
      }
      if (this.#ports.clock.now() > deadline) throw this.noLeader();
      await new Promise<void>((resolve) => void this.#ports.clock.after(20, resolve));
    }
  }

  /** Nobody leads: says which replicas are missing, as far as this one can tell. */
  noLeader(): BatonError {
    const missing = this.#missing();
    return new BatonError('no-leader', 'no replica leads now', {
      fields: { missing },
      hint:
        missing.length === 0
          ? 'an election is under way; try again'
          : `not heard lately: ${missing.join(', ')}`,
    });
  }

  holdArtifact(digest: Digest, sourceHttp: string): Promise<void> {
    return this.#artifacts.hold(digest, sourceHttp);
  }

  async replicateArtifact(digest: Digest, sourceHttp: string): Promise<void> {
    this.#leading();
    await this.#artifacts.replicate(digest, sourceHttp);
  }

  metrics(): Metric[] {
    const { state } = this.#driver();
    return replicaMetrics({
      raft: this.raft(),
      appliedIndex: state.appliedIndex,
      functions: state.size,
      refusedWork: this.#loop.refused,
      dropped: this.#drops.counts(),
      leader: this.#leadership?.figures(),
    });
  }
}
