/**
 * The worker's brain: the truth about its own sandboxes, and whom it obeys.
 *
 *   K1  a fence that is higher than any before is persisted before anything is done under it; a lower one is refused (R4);
 *   K2  commands are applied in the order of their numbers, each once, for this life only (R3);
 *   K3  every change of a sandbox has a version of its own, so that reports merge in any order (model/worker-report.ts);
 *   K4  nothing here kills a sandbox but a command, its own end, or a trial's lifetime: a missing leader is no reason (R2).
 */
import type { Digest, FunctionUid, SandboxId } from '../../lib/ids.ts';
import { unreachable } from '../../lib/assert.ts';
import type { CommandEnvelope, CreateSandbox, WorkerCommand, WorkerNotice } from '../model/command.ts';
import { compareFence, orderIncarnation, type Fence } from '../model/fence.ts';
import type { SandboxState, SandboxStatus } from '../model/sandbox.ts';
import type { FunctionCounts, WorkerHeartbeat } from '../model/worker-report.ts';
import { HeldArtifacts, NO_ARTIFACT_CHANGES, type ArtifactChanges } from './held-artifacts.ts';
import type { Refusal, SandboxStarted, WorkerCoreOptions, WorkerEffect } from './types.ts';

export type SplitStatuses = (statuses: readonly SandboxStatus[]) => readonly (readonly SandboxStatus[])[];

export class WorkerCore {
  readonly #options: WorkerCoreOptions;
  /** Cuts lists to what one message carries: a matter of the wire. */
  readonly #split: SplitStatuses;
  readonly #sandboxes = new Map<SandboxId, SandboxStatus>();
  readonly #trialDeadlines = new Map<SandboxId, number>();
  readonly #artifacts: HeldArtifacts;
  /** Changed since the last heartbeat was built. */
  #unsent = new Map<SandboxId, SandboxStatus>();
  #effects: WorkerEffect[] = [];
  #fence: Fence;
  #cordoned: boolean;
  #draining: boolean;
  #lastCommand = 0;
  #version = 0;
  #sentVersion = 0;
  #seq = 0;
  /** A leader of this life's hearing: reports go nowhere before. */
  #announced = false;
  #natsServer = '';
  #dirty = false;
  #nextHeartbeatMs = 0;

  constructor(options: WorkerCoreOptions, split: SplitStatuses) {
    this.#options = options;
    this.#split = split;
    this.#fence = options.fence;
    this.#cordoned = options.cordoned;
    this.#draining = options.draining;
    this.#artifacts = new HeldArtifacts(options.artifacts);
    // Something to know already: who hears a heartbeat and no hello asks for it.
    if (options.artifacts.length > 0) this.#version = 1;
  }

  get fence(): Fence {
    return this.#fence;
  }

  get isCordoned(): boolean {
    return this.#cordoned;
  }

  get isDraining(): boolean {
    return this.#draining;
  }

  get sandboxes(): ReadonlyMap<SandboxId, SandboxStatus> {
    return this.#sandboxes;
  }

  /** In the order in which they must be carried out. */
  takeEffects(): readonly WorkerEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** Still to be started, or to be kept: a kill may have come while its artifact was fetched. */
  isWanted(id: SandboxId): boolean {
    const state = this.#sandboxes.get(id)?.state;
    return state === 'starting' || state === 'ready';
  }

  // ---- from the bus -------------------------------------------------------------------------------------------------

  onBeacon(fence: Fence, nowMs: number): void {
    const order = compareFence(fence, this.#fence);
    if (order < 0) return;
    if (order > 0) this.#raise(fence);
    if (order > 0 || !this.#announced) this.#hello(nowMs);
    this.#announced = true;
  }

  /** The connection is back: what was sent meanwhile is lost, and says so by its versions. */
  onConnected(natsServer: string, nowMs: number): void {
    this.#natsServer = natsServer;
    if (this.#announced) this.#hello(nowMs);
  }

  onCommand(envelope: CommandEnvelope, nowMs: number): Refusal | undefined {
    const order = compareFence(envelope.fence, this.#fence);
    if (order < 0) return 'fenced';
    if (orderIncarnation(envelope.incarnation, this.#options.incarnation) !== 'same')
      return 'other-incarnation';
    if (order > 0) {
      this.#raise(envelope.fence);
      this.#hello(nowMs);
      this.#announced = true;
    }
    if (envelope.seq <= this.#lastCommand) {
      this.#dirty = true;
      return 'already-applied';
    }
    if (envelope.seq > this.#lastCommand + 1) return 'gap';
    this.#lastCommand = envelope.seq;
    this.#dirty = true;
    this.#apply(envelope.command, nowMs);
    return undefined;
  }

  onNotice({ fence, incarnation, notice }: WorkerNotice, random: number): Refusal | undefined {
    if (compareFence(fence, this.#fence) < 0) return 'fenced';
    if (orderIncarnation(incarnation, this.#options.incarnation) !== 'same') return 'other-incarnation';
    switch (notice.kind) {
      case 'send-inventory':
        this.#inventory(notice.spreadMs, random);
        return undefined;
      case 'duplicate-id':
        this.#effects.push({ kind: 'duplicate-id', other: notice.other });
        return undefined;
      default:
        return unreachable(notice, 'notice');
    }
  }

  // ---- from the runtime ---------------------------------------------------------------------------------------------

  onStarted(id: SandboxId, started: SandboxStarted): void {
    const status = this.#sandboxes.get(id);
    if (status?.state !== 'starting') return;
    const { address, pid, stages } = started;
    this.#change({ ...status, state: 'ready', address, pid, startStages: stages });
  }

  /** A start that failed, or an end of whatever reason; the second word about the same sandbox is ignored. */
  onGone(id: SandboxId, reason: string, log: string): void {
    const status = this.#sandboxes.get(id);
    if (status === undefined) return;
    this.#trialDeadlines.delete(id);
    this.#sandboxes.delete(id);
    this.#report({ ...status, state: 'gone', reason, log });
  }

  /** Unpacked here, and used now. */
  onArtifact(digest: Digest): void {
    if (this.#artifacts.use(digest)) this.#artifactsChanged();
  }

  // ---- time ---------------------------------------------------------------------------------------------------------

  /** When `tick` is to be called next, unless an input comes before; infinite: not before one. */
  get nextDueMs(): number {
    let dueMs = this.#announced ? this.#nextHeartbeatMs : Number.POSITIVE_INFINITY;
    for (const deadlineMs of this.#trialDeadlines.values()) dueMs = Math.min(dueMs, deadlineMs);
    return dueMs;
  }

  /** Called after each input, and when it is due. */
  tick(nowMs: number): void {
    for (const [id, deadlineMs] of this.#trialDeadlines) {
      if (nowMs < deadlineMs) continue;
      this.#trialDeadlines.delete(id);
      this.#end(id, 'kill', 0);
    }
    if (!this.#announced) return;
    if (this.#dirty || nowMs >= this.#nextHeartbeatMs) this.#heartbeats(nowMs);
  }

  // ---- inside -------------------------------------------------------------------------------------------------------

  /** K1: whoever reads the effects in order persists before it reports or acts. */
  #raise(fence: Fence): void {
    this.#fence = fence;
    this.#lastCommand = 0;
    this.#persist();
  }

  #persist(): void {
    const [fence, cordoned, draining] = [this.#fence, this.#cordoned, this.#draining];
    this.#effects.push({ kind: 'persist', fence, cordoned, draining });
  }

  #apply(command: WorkerCommand, nowMs: number): void {
    switch (command.kind) {
      case 'create':
        return this.#create(command, nowMs);
      case 'adopt': {
        const status = this.#sandboxes.get(command.sandbox);
        this.#trialDeadlines.delete(command.sandbox);
        if (status === undefined) return;
        const { uid, generation, specIndex, owner } = command;
        return this.#change({ ...status, uid, generation, specIndex, owner, trial: false });
      }
      case 'drain':
        return this.#end(command.sandbox, 'drain', command.graceMs);
      case 'kill':
        return this.#end(command.sandbox, 'kill', 0);
      case 'cordon':
        this.#cordoned = command.on;
        this.#draining = command.on && command.drain;
        return this.#persist();
      case 'forget-artifacts':
        for (const digest of command.digests) if (this.#artifacts.drop(digest)) this.#artifactsChanged();
        this.#effects.push({ kind: 'forget-artifacts', digests: command.digests });
        return;
      default:
        return unreachable(command, 'command');
    }
  }

  #create(create: CreateSandbox, nowMs: number): void {
    const { sandbox, uid, generation, specIndex, trial, owner } = create;
    if (this.#sandboxes.has(sandbox)) return;
    const status: SandboxStatus = {
      id: sandbox,
      uid,
      generation,
      specIndex,
      state: 'starting',
      version: 0,
      address: '',
      pid: 0,
      trial,
      owner,
      reason: '',
      log: '',
      startStages: [],
    };
    if (this.#sandboxes.size >= this.#options.capacity.sandboxes) {
      this.#report({ ...status, state: 'gone', reason: 'the worker holds as many sandboxes as it may' });
      return;
    }
    this.#change(status);
    if (trial) this.#trialDeadlines.set(sandbox, nowMs + this.#options.trialLifetimeMs);
    this.#effects.push({ kind: 'start', create });
  }

  #end(id: SandboxId, how: 'drain' | 'kill', graceMs: number): void {
    const status = this.#sandboxes.get(id);
    if (status === undefined) return;
    const wasReady = status.state === 'ready';
    if (status.state !== 'draining') this.#change({ ...status, state: 'draining' });
    // What is not ready has no request to finish.
    if (how === 'drain' && wasReady) this.#effects.push({ kind: 'drain', sandbox: id, graceMs });
    else if (how === 'kill' || status.state === 'starting') this.#effects.push({ kind: 'kill', sandbox: id });
  }

  #change(status: SandboxStatus): void {
    const versioned = this.#report(status);
    this.#sandboxes.set(status.id, versioned);
  }

  #report(status: SandboxStatus): SandboxStatus {
    const versioned = { ...status, version: ++this.#version };
    this.#unsent.set(status.id, versioned);
    this.#dirty = true;
    return versioned;
  }

  /** K3: a leader that misses this misses a version, and asks for the inventory. */
  #artifactsChanged(): void {
    this.#version++;
    this.#dirty = true;
  }

  #heartbeats(nowMs: number): void {
    const changes = [...this.#unsent.values()].sort((a, b) => a.version - b.version);
    const parts = this.#split(changes);
    for (const [i, part] of parts.entries()) {
      const isLast = i === parts.length - 1;
      const version = isLast ? this.#version : (part.at(-1)?.version ?? this.#version);
      const artifacts = isLast ? this.#artifacts.takeChanges() : NO_ARTIFACT_CHANGES;
      this.#send(this.#heartbeat(this.#sentVersion, version, part, artifacts));
      this.#sentVersion = version;
    }
    this.#unsent = new Map();
    this.#dirty = false;
    this.#nextHeartbeatMs = nowMs + this.#options.heartbeatMs;
  }

  /** Claims nothing about single sandboxes: a leader that is behind asks for the inventory. */
  #hello(nowMs: number): void {
    const heartbeat = this.#heartbeat(this.#version, this.#version, [], NO_ARTIFACT_CHANGES);
    const { list: artifacts } = this.#artifacts;
    this.#send({ kind: 'hello', heartbeat, counts: this.#counts(), artifacts });
    this.#artifacts.takeChanges();
    this.#sentVersion = this.#version;
    this.#unsent = new Map();
    this.#dirty = false;
    this.#nextHeartbeatMs = nowMs + this.#options.heartbeatMs;
  }

  #heartbeat(
    sinceVersion: number,
    version: number,
    changes: readonly SandboxStatus[],
    { added: artifactsAdded, removed: artifactsRemoved }: ArtifactChanges,
  ): WorkerHeartbeat {
    const { incarnation, capacity, driver, isolation, labels } = this.#options;
    return {
      kind: 'heartbeat',
      incarnation,
      seq: ++this.#seq,
      natsServer: this.#natsServer,
      capacity,
      cordoned: this.#cordoned,
      draining: this.#draining,
      driver,
      isolation,
      labels,
      fence: this.#fence,
      lastCommand: this.#lastCommand,
      sinceVersion,
      version,
      changes,
      artifactsAdded,
      artifactsRemoved,
    };
  }

  #counts(): FunctionCounts[] {
    const counts = new Map<
      string,
      { uid: FunctionUid; generation: number; starting: number; ready: number }
    >();
    for (const { uid, generation, state, trial } of this.#sandboxes.values()) {
      if (trial || !isCounted(state)) continue;
      const key = `${uid}/${generation}`;
      const count = counts.get(key) ?? { uid, generation, starting: 0, ready: 0 };
      count[state]++;
      counts.set(key, count);
    }
    return [...counts.values()];
  }

  #inventory(spreadMs: number, random: number): void {
    // How long each took to start was said when it had started.
    const statuses = Array.from(this.#sandboxes.values(), (status) => ({ ...status, startStages: [] }));
    const parts = this.#split(statuses);
    for (const [part, sandboxes] of parts.entries()) {
      this.#effects.push({
        kind: 'report',
        term: this.#fence.term,
        afterMs: Math.floor((spreadMs * (part + random)) / parts.length),
        report: {
          kind: 'inventory',
          incarnation: this.#options.incarnation,
          version: this.#version,
          part,
          parts: parts.length,
          sandboxes,
          artifacts: part === 0 ? this.#artifacts.list : [],
        },
      });
    }
  }

  #send(report: Extract<WorkerEffect, { kind: 'report' }>['report']): void {
    this.#effects.push({ kind: 'report', term: this.#fence.term, report, afterMs: 0 });
  }
}

function isCounted(state: SandboxState): state is 'starting' | 'ready' {
  return state === 'starting' || state === 'ready';
}
