/**
 * One life of a data plane: the production tables and dispatcher, and a shell that reports, demands and pulls as the role
 * does. A request is a value that ends once.
 */
import { Dispatcher, DISPATCHER_DEFAULTS } from '../../../src/core/dispatch/dispatcher.ts';
import type { DispatchEffect, RejectReason } from '../../../src/core/dispatch/effects.ts';
import type { Ticket } from '../../../src/core/dispatch/ticket.ts';
import { SpecReplica, type SpecUpdate } from '../../../src/core/dispatch/spec-replica.ts';
import {
  EndpointReplica,
  type SavedTable,
  type TableUpdate,
} from '../../../src/core/endpoints/endpoint-replica.ts';
import type {
  Beacon,
  EndpointBatch,
  EndpointSnapshot,
  SpecBatch,
  SpecSnapshot,
} from '../../../src/core/model/broadcast.ts';
import type { DataPlaneMessage, LookupReply, PullStream } from '../../../src/core/model/data-plane-report.ts';
import { compareFence, NO_FENCE, type Fence, type Incarnation } from '../../../src/core/model/fence.ts';
import type { FunctionRecord } from '../../../src/core/model/function.ts';
import type { FunctionName, FunctionUid, DataPlaneId } from '../../../src/lib/ids.ts';
import { HeldTelling } from '../../../src/data-plane/held-telling.ts';
import { unreachable } from '../../../src/lib/assert.ts';
import type { Prng } from '../../../src/lib/prng.ts';
import type { LeaderMember, World } from './cast.ts';
import { Exchanges, type ExchangingDataPlane } from './exchanges.ts';
import type { Stream } from './network.ts';
import type { Outcome, Request } from './request.ts';

const REPORT_MS = 250;
const SWEEP_MS = 20;
const PULL_GAP_MS = 25;
const LOOKUP_MS = 4_000;
const LOOKUP_RETRY_MS = 50;

/** What is in the data plane's file. */
export interface TableContent {
  readonly specs: SpecSnapshot;
  readonly endpoints: SavedTable;
}

export class DataPlaneProcess implements ExchangingDataPlane {
  readonly id: DataPlaneId;
  readonly incarnation: Incarnation;
  readonly specs: SpecReplica = new SpecReplica();
  table: EndpointReplica = new EndpointReplica();
  readonly dispatcher: Dispatcher<Request>;
  readonly #world: World;
  readonly #server: string;
  #fence: Fence = NO_FENCE;
  #announced = false;
  #alive = true;
  #seq = 0;
  readonly #held: HeldTelling;
  #reportScheduled = false;
  readonly #pulledMs: Record<PullStream, number> = { endpoints: -1, specs: -1 };
  /** Queues that the leader of now has not acknowledged yet. */
  readonly #demand = new Set<FunctionUid>();
  #demandSeq = 0;
  #demandResendMs = 20;
  #demandScheduled = false;
  /** Not ended yet, its own and its peers'. */
  readonly #open = new Set<Request>();
  /** With the dispatcher; the others are being looked up. */
  readonly #submitted = new WeakSet<Request>();
  readonly #exchanges: Exchanges;

  constructor(
    world: World,
    id: DataPlaneId,
    server: string,
    life: number,
    random: Prng,
    saved: TableContent | undefined,
  ) {
    this.#world = world;
    this.id = id;
    this.#server = server;
    this.#exchanges = new Exchanges(world, this, random);
    this.incarnation = { ms: life, nonce: random.uint32() };
    // Some tell what they hold as if it were a great deal.
    this.#held = new HeldTelling(
      () => this.table,
      this.incarnation.nonce % 2 === 0 ? 0 : Number.POSITIVE_INFINITY,
    );
    this.dispatcher = new Dispatcher({
      ...DISPATCHER_DEFAULTS,
      random: random.fork('dispatch'),
      self: { dataPlane: id, incarnation: this.incarnation },
    });
    if (saved !== undefined) this.#restore(saved);
    this.#loop();
    this.#sweep();
  }

  #restore(saved: TableContent): void {
    const { nowMs } = this.#world;
    this.table = EndpointReplica.restore(saved.endpoints, nowMs);
    this.#fence = saved.endpoints.fence;
    for (const record of this.specs.onSnapshot(saved.specs).put) this.dispatcher.putFunction(record, nowMs);
    for (const { uid, owner } of saved.endpoints.owners) this.dispatcher.setOwner(uid, owner, nowMs);
    for (const endpoint of saved.endpoints.endpoints) this.dispatcher.putEndpoint(endpoint, nowMs);
  }

  get isAlive(): boolean {
    return this.#alive;
  }

  save(): TableContent {
    return { specs: this.specs.save(), endpoints: this.table.save() };
  }

  kill(): void {
    this.#alive = false;
    for (const request of this.#open) request.end('data plane died');
    this.#open.clear();
  }

  // ---- from the leader ----------------------------------------------------------------------------------------------

  onBeacon(beacon: Beacon): void {
    if (!this.#see(beacon.fence)) return;
    this.#applyEndpoints(beacon.fence, this.table.onBeacon(beacon, this.#world.nowMs));
    this.#applySpecs(this.specs.onBeacon(beacon.fence, beacon.specIndex));
  }

  onBatch(batch: EndpointBatch): void {
    if (this.#see(batch.fence))
      this.#applyEndpoints(batch.fence, this.table.onBatch(batch, this.#world.nowMs));
  }

  onSpecs(batch: SpecBatch): void {
    if (this.#see(batch.fence)) this.#applySpecs(this.specs.onBatch(batch));
  }

  #onEndpointSnapshot(snapshot: EndpointSnapshot): void {
    if (!this.#alive) return;
    this.#applyEndpoints(snapshot.fence, this.table.onSnapshot(snapshot, this.#world.nowMs));
    this.reportSoon();
  }

  #onSpecSnapshot(snapshot: SpecSnapshot): void {
    if (this.#alive) this.#applySpecs(this.specs.onSnapshot(snapshot));
  }

  #see(fence: Fence): boolean {
    const order = compareFence(fence, this.#fence);
    if (!this.#alive || order < 0) return false;
    const isNew = order > 0 || !this.#announced;
    this.#fence = fence;
    this.#announced = true;
    if (isNew) {
      this.#held.begin(this.#world.nowMs);
      this.reportSoon();
      for (const { uid, queued } of this.dispatcher.loads(this.#world.nowMs, false))
        if (queued > 0) this.#demand.add(uid);
      this.#demandSoon();
    }
    return true;
  }

  #applyEndpoints(fence: Fence, update: TableUpdate): void {
    if (update.fenced) return;
    const { nowMs, promises } = this.#world;
    if (update.pull) this.#pull('endpoints');
    promises.onTableChanged(this, fence, update.changes);
    for (const change of update.changes) {
      if (change.kind === 'put') this.dispatcher.putEndpoint(change.endpoint, nowMs);
      else if (change.kind === 'withdraw') this.dispatcher.withdrawEndpoint(change.sandbox, nowMs);
      else this.dispatcher.setOwner(change.uid, change.owner, nowMs);
    }
    this.carryOut();
    if (update.changes.length > 0) this.reportSoon();
  }

  #applySpecs(update: SpecUpdate): void {
    if (update.fenced) return;
    const { nowMs } = this.#world;
    if (update.pull) this.#pull('specs');
    for (const uid of update.deleted) this.dispatcher.deleteFunction(uid, nowMs);
    for (const record of update.put) this.dispatcher.putFunction(record, nowMs);
    this.carryOut();
    if (update.deleted.length + update.put.length > 0) this.reportSoon();
  }

  #pull(stream: PullStream): void {
    const { nowMs } = this.#world;
    if (nowMs - this.#pulledMs[stream] < PULL_GAP_MS) return;
    this.#pulledMs[stream] = nowMs;
    this.#ask('pulls', (leader, reply) => {
      if (stream === 'endpoints') {
        const snapshot = leader.endpointSnapshot();
        if (snapshot !== undefined) reply(() => this.#onEndpointSnapshot(snapshot));
      } else {
        const snapshot = leader.specSnapshot();
        if (snapshot !== undefined) reply(() => this.#onSpecSnapshot(snapshot));
      }
    });
  }

  // ---- to the leader ------------------------------------------------------------------------------------------------

  /** Whoever leads the term that this one knows, when it is reached; `reply` goes the same way back. */
  #ask(stream: Stream, run: (leader: LeaderMember, reply: (deliver: () => void) => void) => void): void {
    const { network } = this.#world;
    const leader = this.#world.leaderOf(this.#fence.term);
    if (leader === undefined || !this.#announced) return;
    network.pass(this.id, leader.host, stream, () => {
      leader.hear(() => run(leader, (deliver) => network.pass(leader.host, this.id, stream, deliver)));
    });
  }

  #tell(message: DataPlaneMessage, answer: () => void = () => undefined): void {
    this.#ask('reports', (leader, reply) => {
      leader.lives.set(this.id, this.incarnation.ms);
      leader.brain.dataPlaneMessage(this.id, message, this.#world.nowMs);
      reply(answer);
    });
  }

  #loop(): void {
    if (!this.#alive) return;
    this.#report(true);
    this.#world.queue.after(REPORT_MS, () => this.#loop());
  }

  reportSoon(): void {
    if (this.#reportScheduled) return;
    this.#reportScheduled = true;
    this.#world.queue.after(5, () => {
      this.#reportScheduled = false;
      if (this.#alive) this.#report(false);
    });
  }

  #report(periodic: boolean): void {
    const { nowMs } = this.#world;
    const loads = this.dispatcher.loads(nowMs, periodic);
    if (!this.#announced) return;
    const parts = this.#held.next(loads, nowMs) ?? [];
    for (const [part, told] of parts.entries())
      this.#tell({ kind: 'held', incarnation: this.incarnation, part, parts: parts.length, ...told });
    if (parts.length > 0) this.#held.done(nowMs);
    this.#tell({
      kind: 'report',
      incarnation: this.incarnation,
      seq: ++this.#seq,
      natsServer: this.#server,
      caller: '',
      peer: this.id,
      fence: this.table.fence,
      endpointSeq: this.table.seq,
      specIndex: this.specs.specIndex,
      loads,
      withdrawing: this.dispatcher.withdrawing(nowMs),
      refused: this.dispatcher.refusedEndpoints(),
      condemned: this.dispatcher.condemnedEndpoints(),
      owned: this.dispatcher.owned(),
    });
  }

  #demandSoon(): void {
    if (this.#demandScheduled || this.#demand.size === 0) return;
    this.#demandScheduled = true;
    this.#world.queue.after(0, () => {
      this.#demandScheduled = false;
      this.#sendDemand();
    });
  }

  #sendDemand(): void {
    if (!this.#alive) return;
    const loads = [...this.#demand].map((uid) => this.dispatcher.load(uid));
    for (const { uid, queued } of loads) if (queued === 0) this.#demand.delete(uid);
    if (this.#demand.size === 0) return;
    const seq = ++this.#demandSeq;
    const waiting = loads.filter(({ queued }) => queued > 0);
    const fence = this.#fence;
    this.#tell({ kind: 'demand', incarnation: this.incarnation, seq, loads: waiting }, () => {
      if (compareFence(fence, this.#fence) === 0) for (const { uid } of waiting) this.#demand.delete(uid);
    });
    this.#demandResendMs = Math.min(1_000, this.#demandResendMs * 2);
    this.#world.queue.after(this.#demandResendMs, () => this.#sendDemand());
  }

  // ---- requests -----------------------------------------------------------------------------------------------------

  /** False: it is down. */
  call(request: Request): boolean {
    if (!this.#alive) return false;
    this.#open.add(request);
    this.#find(request);
    return true;
  }

  #find(request: Request): void {
    const record = this.specs.find(request.name as FunctionName);
    if (record !== undefined) return this.#submit(request, record);
    this.#submitted.delete(request);
    this.#lookUp(request, this.#world.nowMs + LOOKUP_MS);
  }

  #submit(request: Request, { uid, spec }: FunctionRecord): void {
    const { nowMs } = this.#world;
    this.#submitted.add(request);
    const deadlineMs = nowMs + spec.queueTimeoutMs;
    this.dispatcher.submit(uid, request, { deadlineMs, viaPeer: false, peerIsAhead: false }, nowMs);
    this.carryOut();
  }

  /** Only a leader's word, given after the request came, makes it unknown. */
  #lookUp(request: Request, deadlineMs: number): void {
    if (!this.#alive || !this.#asking(request)) return;
    if (this.#world.nowMs >= deadlineMs) return this.end(request, 'no leader');
    this.#ask('pulls', (leader, reply) => {
      leader.lookUp(request.name as FunctionName, (answer) => reply(() => this.#onLookup(request, answer)));
    });
    this.#world.queue.after(LOOKUP_RETRY_MS, () => this.#lookUp(request, deadlineMs));
  }

  /** Neither ended nor submitted. */
  #asking(request: Request): boolean {
    return this.#open.has(request) && !this.#submitted.has(request);
  }

  #onLookup(request: Request, answer: LookupReply): void {
    if (!this.#alive || !this.#see(answer.fence)) return;
    const { record, update } = this.specs.onLookup(answer);
    this.#applySpecs(update);
    if (update.fenced || !this.#asking(request)) return;
    if (record !== undefined) return this.#submit(request, record);
    this.end(request, 'unknown-function');
  }

  accept(request: Request, uid: FunctionUid, deadlineMs: number, peerIsAhead: boolean): void {
    if (!this.#alive || this.specs.get(uid) === undefined) return request.end('not-owner');
    this.#open.add(request);
    const { nowMs } = this.#world;
    this.dispatcher.submit(uid, request, { deadlineMs, viaPeer: true, peerIsAhead }, nowMs);
    this.carryOut();
  }

  #sweep(): void {
    if (!this.#alive) return;
    this.dispatcher.sweep(this.#world.nowMs);
    this.carryOut();
    this.#world.queue.after(SWEEP_MS, () => this.#sweep());
  }

  carryOut(): void {
    for (let effect = this.dispatcher.effects.shift(); effect !== undefined;) {
      this.#perform(effect);
      effect = this.dispatcher.effects.shift();
    }
  }

  #perform(effect: DispatchEffect<Request>): void {
    switch (effect.kind) {
      case 'dispatch':
        return this.#exchanges.dispatch(effect.ticket);
      case 'forward':
        return this.#exchanges.forward(effect.ticket, effect.owner);
      case 'reject':
        return this.#reject(effect.ticket, effect.reason);
      case 'demand':
        this.#demand.add(effect.uid);
        this.#demandResendMs = 10;
        return this.#demandSoon();
      case 'drained':
        return this.reportSoon();
      case 'forget':
        return;
      default:
        return unreachable(effect, 'effect');
    }
  }

  /** A function that was deleted is no word about its name, which may be another's by now. */
  #reject({ payload: request, viaPeer }: Ticket<Request>, reason: RejectReason): void {
    if (reason !== 'unknown-function') return this.end(request, reason);
    if (viaPeer) return this.end(request, 'not-owner');
    this.#find(request);
  }

  end(request: Request, outcome: Outcome): void {
    this.#open.delete(request);
    if (outcome === 'unknown-function') this.#world.promises.onUnknown(this, request);
    request.end(outcome);
  }
}
