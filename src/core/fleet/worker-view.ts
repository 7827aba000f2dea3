/**
 * One worker as it last reported itself. Reports merge by version (model/worker-report.ts), so loss, duplication and
 * reordering of messages end in the same view.
 */
import type { Digest, FunctionUid, SandboxId, WorkerId } from '../../lib/ids.ts';
import type { Label } from '../model/function.ts';
import { NO_INCARNATION, orderIncarnation, type Incarnation } from '../model/fence.ts';
import type { SandboxStatus } from '../model/sandbox.ts';
import type {
  FunctionCounts,
  WorkerCapacity,
  WorkerHeartbeat,
  WorkerInventory,
  WorkerReport,
} from '../model/worker-report.ts';

const NO_ARTIFACTS: ReadonlySet<Digest> = new Set();
const NO_CAPACITY: WorkerCapacity = { cpuMillis: 0, memoryMiB: 0, sandboxes: 0 };

/** `before` undefined: new here. `after` undefined: the worker does not have it (any more). */
export interface SandboxChange {
  readonly before: SandboxStatus | undefined;
  readonly after: SandboxStatus | undefined;
}

export interface MergeResult {
  readonly changes: readonly SandboxChange[];
  readonly needInventory: boolean;
  /** The report is of an earlier life, or of a second process under this id. */
  readonly refused: 'older' | 'duplicate' | undefined;
  /** A new life: everything that the earlier one ran is gone. */
  readonly restarted: boolean;
  /** The inventory became complete with this report. */
  readonly inventoried: boolean;
}

interface PartialInventory {
  readonly version: number;
  readonly parts: number;
  readonly got: Set<number>;
  readonly ids: Set<SandboxId>;
}

export class WorkerView {
  readonly id: WorkerId;
  incarnation: Incarnation = NO_INCARNATION;
  capacity: WorkerCapacity = NO_CAPACITY;
  cordoned = false;
  draining = false;
  driver = '';
  isolation = '';
  labels: readonly Label[] = [];
  natsServer = '';
  /** Ready and starting by function, from the hello; evidence until the inventory is here. */
  counts: readonly FunctionCounts[] = [];
  readonly sandboxes: Map<SandboxId, SandboxStatus> = new Map();
  hasInventory = false;
  /** Held unpacked; another set when they change. */
  artifacts: ReadonlySet<Digest> = NO_ARTIFACTS;
  /** Where the worker's truth stood when they were so. */
  #artifactsVersion = 0;
  /** Of the heartbeat that said last what the worker is: a late one takes nothing back. */
  #seq = 0;
  /** Everything up to this version was seen. */
  #version = 0;
  /** Reported gone beyond the version: nothing older may bring it back. Bounded by the versions still in flight. */
  readonly #gone = new Map<SandboxId, number>();
  #partial: PartialInventory | undefined;

  constructor(id: WorkerId) {
    this.id = id;
  }

  /** Every change up to this one is in this view. */
  get version(): number {
    return this.#version;
  }

  merge(report: WorkerReport): MergeResult {
    const incarnation = report.kind === 'hello' ? report.heartbeat.incarnation : report.incarnation;
    const order = orderIncarnation(incarnation, this.incarnation);
    if (order === 'older' || order === 'duplicate') {
      return { changes: [], needInventory: false, refused: order, restarted: false, inventoried: false };
    }
    const changes: SandboxChange[] = [];
    const restarted = order === 'newer' && this.incarnation !== NO_INCARNATION;
    if (order === 'newer') this.#begin(incarnation, changes);
    switch (report.kind) {
      case 'hello':
        if (report.heartbeat.seq >= this.#seq) this.counts = report.counts;
        this.#holds(report.heartbeat.version, report.artifacts);
        return this.#heartbeat(report.heartbeat, changes, restarted);
      case 'heartbeat':
        return this.#heartbeat(report, changes, restarted);
      case 'inventory':
        return this.#inventory(report, changes, restarted);
      default:
        throw new Error('unreachable');
    }
  }

  #begin(incarnation: Incarnation, changes: SandboxChange[]): void {
    for (const before of this.sandboxes.values()) changes.push({ before, after: undefined });
    this.sandboxes.clear();
    this.#gone.clear();
    this.#seq = 0;
    this.#version = 0;
    this.#partial = undefined;
    this.counts = [];
    this.hasInventory = false;
    this.artifacts = NO_ARTIFACTS;
    this.#artifactsVersion = 0;
    this.incarnation = incarnation;
  }

  #heartbeat(heartbeat: WorkerHeartbeat, changes: SandboxChange[], restarted: boolean): MergeResult {
    if (heartbeat.seq >= this.#seq) {
      this.#seq = heartbeat.seq;
      this.capacity = heartbeat.capacity;
      this.cordoned = heartbeat.cordoned;
      this.draining = heartbeat.draining;
      this.driver = heartbeat.driver;
      this.isolation = heartbeat.isolation;
      this.labels = heartbeat.labels;
      this.natsServer = heartbeat.natsServer;
    }
    for (const status of heartbeat.changes) this.#apply(status, changes);
    const gap = heartbeat.sinceVersion > this.#version;
    if (!gap) {
      this.#version = Math.max(this.#version, heartbeat.version);
      this.#artifactsChanged(heartbeat);
    }
    // A worker that never ran anything has nothing to inventory.
    if (heartbeat.version === 0) this.hasInventory = true;
    const needInventory = gap || !this.hasInventory;
    return { changes, needInventory, refused: undefined, restarted, inventoried: heartbeat.version === 0 };
  }

  #holds(version: number, artifacts: readonly Digest[]): void {
    if (version < this.#artifactsVersion) return;
    this.#artifactsVersion = version;
    this.artifacts = artifacts.length === 0 ? NO_ARTIFACTS : new Set(artifacts);
  }

  /** What changed since a version that this view has seen; behind a gap only the whole helps, and it comes. */
  #artifactsChanged({ version, artifactsAdded, artifactsRemoved }: WorkerHeartbeat): void {
    if (artifactsAdded.length + artifactsRemoved.length === 0 || version <= this.#artifactsVersion) return;
    const removed = new Set(artifactsRemoved);
    this.#holds(
      version,
      [...this.artifacts, ...artifactsAdded].filter((digest) => !removed.has(digest)),
    );
  }

  #inventory(report: WorkerInventory, changes: SandboxChange[], restarted: boolean): MergeResult {
    for (const status of report.sandboxes) this.#apply(status, changes);
    if (report.part === 0) this.#holds(report.version, report.artifacts);
    let partial = this.#partial;
    if (partial === undefined || report.version > partial.version) {
      partial = { version: report.version, parts: report.parts, got: new Set(), ids: new Set() };
      this.#partial = partial;
    }
    let inventoried = false;
    if (report.version === partial.version) {
      partial.got.add(report.part);
      for (const { id } of report.sandboxes) partial.ids.add(id);
      if (partial.got.size === partial.parts) {
        inventoried = true;
        this.#close(partial, changes);
      }
    }
    return { changes, needInventory: false, refused: undefined, restarted, inventoried };
  }

  /** The worker has exactly these as of that version: what is older and not among them is gone. */
  #close(partial: PartialInventory, changes: SandboxChange[]): void {
    for (const [id, before] of this.sandboxes) {
      if (before.version > partial.version || partial.ids.has(id)) continue;
      this.sandboxes.delete(id);
      changes.push({ before, after: undefined });
    }
    this.#partial = undefined;
    this.hasInventory = true;
    this.#version = Math.max(this.#version, partial.version);
    for (const [id, version] of this.#gone) if (version <= partial.version) this.#gone.delete(id);
  }

  #apply(status: SandboxStatus, changes: SandboxChange[]): void {
    const before = this.sandboxes.get(status.id);
    // Everything up to the version is here: what is not here is gone, and this message is late.
    if (status.version <= (before?.version ?? this.#version)) return;
    if ((this.#gone.get(status.id) ?? 0) >= status.version) return;
    if (status.state === 'gone') {
      this.sandboxes.delete(status.id);
      this.#gone.set(status.id, status.version);
      if (this.#gone.size > 4_096) this.#gone.delete(this.#gone.keys().next().value as SandboxId);
    } else {
      this.sandboxes.set(status.id, status);
    }
    changes.push({ before, after: status });
  }

  /** Scale that the worker claims for a function before its inventory is here. */
  claimed(uid: FunctionUid, generation: number): number {
    for (const count of this.counts) {
      if (count.uid === uid && count.generation === generation) return count.starting + count.ready;
    }
    return 0;
  }
}
