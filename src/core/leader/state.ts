/**
 * What the leader holds in memory, with its indexes. Nothing here is durable: the workers own the truth, and a new leader
 * builds this again from what they and the data planes say.
 */
import type { DataPlaneId, FunctionName, FunctionUid, SandboxId, WorkerId } from '../../lib/ids.ts';
import { prng } from '../../lib/prng.ts';
import { FunctionScaler, type ScaleDecision } from '../autoscaler/function-scaler.ts';
import { EndpointWriter } from '../endpoints/endpoint-writer.ts';
import type { CommandSession } from '../fleet/command-session.ts';
import { WorkerView } from '../fleet/worker-view.ts';
import type { WorkerCommand } from '../model/command.ts';
import type { FunctionLoad } from '../model/data-plane-report.ts';
import { limits } from '../../lib/limits.ts';
import { NO_FENCE, NO_INCARNATION, orderIncarnation, type Fence, type Incarnation } from '../model/fence.ts';
import type { FunctionRecord, FunctionSpec, Label, ResourceSpec } from '../model/function.ts';
import type { Endpoint, SandboxOwner } from '../model/sandbox.ts';
import type { WorkerCapacity } from '../model/worker-report.ts';
import { explainNoRoom, type Candidate, type PlacementRequest } from '../placement/filter.ts';
import { Placer, type Turn } from '../placement/placement.ts';
import { Claims } from './claims.ts';
import { Holders } from './holders.ts';
import { Progress } from './progress.ts';
import type { EventKind } from './event-kinds.ts';
import type { LeaderBus, LeaderEffect, LeaderOptions, PlacedState } from './types.ts';

/** A sandbox that the leader counts on, or is getting rid of. */
export interface Placed {
  readonly id: SandboxId;
  uid: FunctionUid;
  generation: number;
  specIndex: number;
  readonly worker: WorkerNode;
  state: PlacedState;
  address: string;
  pid: number;
  readonly resources: ResourceSpec;
  owner: SandboxOwner | undefined;
  /** withdrawing: the seq that data planes must have applied. */
  withdrawSeq: number;
  graceMs: number;
}

export class WorkerNode implements Candidate {
  readonly id: WorkerId;
  view: WorkerView;
  session: CommandSession | undefined;
  state: 'alive' | 'silent' | 'dead' = 'alive';
  readonly placed: Map<SandboxId, Placed> = new Map();
  readonly allocated: { cpuMillis: number; memoryMiB: number; sandboxes: number } = {
    cpuMillis: 0,
    memoryMiB: 0,
    sandboxes: 0,
  };
  heardMs: number;
  /** Heard under this term; otherwise known from data planes' endpoints alone. */
  heard = false;
  /** It has said under this term all that it runs. */
  reported = false;
  probing = false;
  nextProbeMs = 0;
  /** Since when nobody subscribes for it, by the word of our own server alone. */
  unsubscribedMs: number | undefined;
  inventoryAskedMs: number = Number.NEGATIVE_INFINITY;
  /** Since its last inventory. */
  inventoryAsks = 0;
  /** Of the reports that were refused, the latest life that was said of. */
  refusedLife: Incarnation = NO_INCARNATION;
  /**
   * Created under this term and in no report yet, in the order of their numbers. `version`: where the worker's truth stood
   * when it acknowledged the create; whoever knows that version and has not seen the sandbox will not see it any more.
   */
  readonly unseen: Map<Placed, { readonly seq: number; version: number | undefined }> = new Map();
  /** Endpoints that a data plane found refusing: confirmed again by the next inventory, or gone. */
  readonly doubted: Set<SandboxId> = new Set();
  /** The last that was said of its drain. */
  drainTold: 'nothing' | 'draining' | 'drained' = 'nothing';

  constructor(id: WorkerId, nowMs: number) {
    this.id = id;
    this.view = new WorkerView(id);
    this.heardMs = nowMs;
  }

  get capacity(): WorkerCapacity {
    return this.view.capacity;
  }

  get labels(): readonly Label[] {
    return this.view.labels;
  }

  get availability(): Candidate['availability'] {
    if (!this.heard || this.state !== 'alive' || this.session === undefined) return 'unreachable';
    return this.view.cordoned ? 'cordoned' : 'available';
  }
}

export class FunctionNode {
  record: FunctionRecord;
  readonly placed: Set<Placed> = new Set();
  readonly turn: Turn;
  lastPacedMs: number = Number.NEGATIVE_INFINITY;
  startFailures = 0;
  /** What the last of them said. */
  startFailure = '';
  backoffUntilMs = 0;
  /** A new generation begins with as many sandboxes as the old one had ready. */
  rolloutFloor = 0;
  desired = 0;
  /** With all evidence in: reconciliation had closed. */
  isDecided = false;
  /** The last one; undefined before the first. */
  decision: ScaleDecision | undefined = undefined;
  decidedMs = 0;
  /** The last time that another scale was wanted. */
  change: ScaleChange | undefined = undefined;
  /** What keeps it from the desired scale, beside starts that are on their way. */
  obstacle: Obstacle | undefined = undefined;
  /** The last that was said of a lack of room; empty once it was over. */
  noRoom = '';
  noRoomSaidMs: number = Number.NEGATIVE_INFINITY;
  readonly #sinceMs: number;
  #scaler: FunctionScaler | undefined;

  constructor(record: FunctionRecord, turn: Turn, nowMs: number) {
    this.record = record;
    this.turn = turn;
    this.#sinceMs = nowMs;
  }

  /** Made when it is needed: a new leader of thousands of idle functions is waited for. It has watched from the beginning. */
  get scaler(): FunctionScaler {
    return (this.#scaler ??= new FunctionScaler(this.record.spec, this.#sinceMs));
  }

  /** As data planes said last: requests in flight and waiting. */
  get load(): number {
    return this.#scaler?.latest ?? 0;
  }

  renew(record: FunctionRecord): void {
    this.record = record;
    this.#scaler?.update(record.spec);
  }
}

export interface ScaleChange {
  readonly from: number;
  readonly to: number;
  readonly why: string;
  readonly atMs: number;
}

export type Obstacle =
  | { readonly kind: 'backoff' | 'pace' | 'reconciling' | 'owner' }
  | { readonly kind: 'room'; readonly missing: number; readonly why: string }
  /** It has its scale, and on workers that are drained. */
  | { readonly kind: 'move'; readonly missing: number; readonly why: string };

export class DataPlaneNode {
  readonly id: DataPlaneId;
  incarnation: Incarnation = NO_INCARNATION;
  refusedLife: Incarnation = NO_INCARNATION;
  heardMs: number;
  live = true;
  caller = '';
  peer = '';
  fence: Fence = NO_FENCE;
  endpointSeq = 0;
  specIndex = 0;
  seq = 0;
  loads: Map<FunctionUid, FunctionLoad> = new Map();
  withdrawing: Map<SandboxId, number> = new Map();
  owned: readonly FunctionUid[] = [];

  constructor(id: DataPlaneId, nowMs: number) {
    this.id = id;
    this.heardMs = nowMs;
  }
}

export interface Trial {
  readonly trial: number;
  readonly sandbox: SandboxId;
  readonly spec: FunctionSpec;
  readonly deadlineMs: number;
  readonly placed: Placed;
  done: boolean;
}

export class LeaderState {
  readonly options: LeaderOptions;
  readonly startedMs: number;
  readonly writer: EndpointWriter;
  readonly workers: Map<WorkerId, WorkerNode> = new Map();
  readonly claims: Claims<WorkerNode> = new Claims();
  readonly holders: Holders<WorkerNode> = new Holders();
  readonly placer: Placer;
  /** The same workers, as they came: placement goes round. */
  readonly #roster: WorkerNode[] = [];
  readonly dataPlanes: Map<DataPlaneId, DataPlaneNode> = new Map();
  readonly functions: Map<FunctionUid, FunctionNode> = new Map();
  readonly placed: Map<SandboxId, Placed> = new Map();
  readonly withdrawing: Set<Placed> = new Set();
  /** Workers that say that they are to be emptied. */
  readonly draining: Set<WorkerNode> = new Set();
  /** Commanded in the place of sandboxes there. Those that have started are forgotten when the next is to begin. */
  readonly moves: Set<Placed> = new Set();
  /** Became ready with this input while some worker is drained: what they replace need not wait for the next tick. */
  readonly arrived: Set<FunctionUid> = new Set();
  readonly trials: Map<SandboxId, Trial> = new Map();
  readonly waits: Map<number, { readonly specIndex: number; readonly deadlineMs: number }> = new Map();
  /** Functions whose scale may change without a new event: looked at every decideEveryMs. */
  readonly active: Set<FunctionUid> = new Set();
  /** By NATS server: when something came through it last; never, of those that are only known to be there. */
  readonly heardThrough: Map<string, number> = new Map();
  closed = false;
  readonly progress: Progress;
  /** The bus was up for a whole lease of this term: who has not been heard by then has no lease of a predecessor's. */
  oldLeasesOver = false;
  busUpSinceMs: number;
  ownServer: string;
  busUp = true;
  nowMs: number;
  appliedIndex = 0;
  nextDecideMs = 0;
  /** To be looked at before the next round begins. */
  readonly deciding: Set<FunctionUid> = new Set();
  /** A worker came with this input: what waits for room need not wait for the next tick. */
  hasJoined = false;
  /** When the last one came that had not been heard under this term, or was taken for dead, or told all it runs for the first time. */
  arrivedMs: number = Number.NEGATIVE_INFINITY;
  /** More is wanted of them than any worker had room for: looked at again with the next worker that comes. */
  readonly roomless: Set<FunctionUid> = new Set();
  /** Starts that may still be commanded before the next tick. */
  startsLeft: number = limits.startsPerTick;
  nextLivenessMs = 0;
  #created = 0;
  #effects: LeaderEffect[] = [];
  readonly #commanded = new Set<WorkerNode>();

  constructor(options: LeaderOptions, nowMs: number, bus: LeaderBus) {
    this.options = options;
    this.startedMs = nowMs;
    this.progress = new Progress(nowMs);
    this.nowMs = nowMs;
    this.busUpSinceMs = bus.upSinceMs;
    this.ownServer = bus.server;
    for (const server of bus.others) this.heardThrough.set(server, Number.NEGATIVE_INFINITY);
    this.writer = new EndpointWriter(options.fence);
    const { epoch, term } = options.fence;
    this.placer = new Placer(prng(`placement ${epoch} ${term}`));
  }

  effect(effect: LeaderEffect): void {
    this.#effects.push(effect);
  }

  event(event: EventKind, subject: string, message: string): void {
    this.#effects.push({ kind: 'event', event, subject, function: '', message });
  }

  /** Once for each life: whoever does not know yet that it is over says the same again and again. */
  refusedEvent(of: WorkerNode | DataPlaneNode, life: Incarnation, message: string): void {
    const order = orderIncarnation(life, of.refusedLife);
    if (order === 'same' || order === 'older') return;
    of.refusedLife = life;
    this.event('refused', of.id, message);
  }

  functionEvent(event: EventKind, name: FunctionName, message: string): void {
    this.#effects.push({ kind: 'event', event, subject: name, function: name, message });
  }

  sandboxEvent(event: EventKind, { id, uid }: { id: SandboxId; uid: FunctionUid }, message: string): void {
    const spec = this.functions.get(uid)?.record.spec ?? this.trials.get(id)?.spec;
    this.#effects.push({ kind: 'event', event, subject: id, function: spec?.name ?? '', message });
  }

  /** Unique: the epoch and term are this leader's alone. */
  nextSandboxId(name: string): SandboxId {
    const { epoch, term } = this.options.fence;
    const suffix = `-${epoch}-${term}-${++this.#created}`;
    return (name.slice(0, 63 - suffix.length).replace(/-+$/, '') + suffix) as SandboxId;
  }

  /** @returns the command's number; 0: too much waits for this worker */
  command(worker: WorkerNode, command: WorkerCommand): number {
    const seq = worker.session?.submit(command) ?? 0;
    if (seq > 0) this.#commanded.add(worker);
    return seq;
  }

  addWorker(id: WorkerId): WorkerNode {
    const node = new WorkerNode(id, this.nowMs);
    this.workers.set(id, node);
    this.#roster.push(node);
    this.progress.known(this.nowMs);
    return node;
  }

  /** @returns the worker, or in one line why there is none */
  place(spec: FunctionSpec, turn: Turn): WorkerNode | string {
    const { resources, selector, placement } = spec;
    const strategy = placement === 'default' ? this.options.placement : placement;
    const request: PlacementRequest = { resources, selector, strategy };
    const holders = this.holders.of(spec.artifact);
    return this.placer.place(this.#roster, request, turn, holders) ?? explainNoRoom(this.#roster, request);
  }

  addCreated(placed: Placed, seq: number): void {
    this.addPlaced(placed);
    placed.worker.unseen.set(placed, { seq, version: undefined });
  }

  addPlaced(placed: Placed): void {
    this.placed.set(placed.id, placed);
    placed.worker.placed.set(placed.id, placed);
    this.functions.get(placed.uid)?.placed.add(placed);
    const { allocated } = placed.worker;
    allocated.cpuMillis += placed.resources.cpuMillis;
    allocated.memoryMiB += placed.resources.memoryMiB;
    allocated.sandboxes++;
  }

  removePlaced(placed: Placed): void {
    if (!this.placed.delete(placed.id)) return;
    placed.worker.placed.delete(placed.id);
    this.functions.get(placed.uid)?.placed.delete(placed);
    placed.worker.unseen.delete(placed);
    this.withdrawing.delete(placed);
    this.moves.delete(placed);
    const { allocated } = placed.worker;
    allocated.cpuMillis -= placed.resources.cpuMillis;
    allocated.memoryMiB -= placed.resources.memoryMiB;
    allocated.sandboxes--;
    this.active.add(placed.uid);
  }

  endpointOf(placed: Placed): Endpoint {
    const { id, uid, generation, specIndex, worker, address, owner } = placed;
    return { sandbox: id, uid, generation, specIndex, worker: worker.id, address, owner };
  }

  liveDataPlanes(): DataPlaneNode[] {
    return [...this.dataPlanes.values()].filter((dataPlane) => dataPlane.live);
  }

  takeEffects(): LeaderEffect[] {
    for (const worker of this.#commanded) this.flushSession(worker);
    this.#commanded.clear();
    for (const batch of this.writer.takeBatches()) this.#effects.push({ kind: 'endpoints', batch });
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  flushSession(worker: WorkerNode): void {
    for (const envelope of worker.session?.take(this.nowMs) ?? []) {
      this.#effects.push({ kind: 'command', worker: worker.id, envelope });
    }
  }
}
