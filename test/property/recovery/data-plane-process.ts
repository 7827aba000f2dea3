/**
 * One life of a data plane: the production tables and dispatcher, and a shell that reports, demands and pulls as the role
 * does. A request is a value that ends once.
 */
import { Dispatcher, DISPATCHER_DEFAULTS } from '../../../src/core/dispatch/dispatcher.ts';
import type { DispatchEffect } from '../../../src/core/dispatch/effects.ts';
import { SpecReplica, type SpecUpdate } from '../../../src/core/dispatch/spec-replica.ts';
import type { Ticket } from '../../../src/core/dispatch/ticket.ts';
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
import type { DataPlaneMessage, PullStream } from '../../../src/core/model/data-plane-report.ts';
import { compareFence, NO_FENCE, type Fence, type Incarnation } from '../../../src/core/model/fence.ts';
import type { FunctionName, FunctionUid, DataPlaneId } from '../../../src/lib/ids.ts';
import { assert, unreachable } from '../../../src/lib/assert.ts';
import type { Prng } from '../../../src/lib/prng.ts';
import type { DataPlaneMember, World } from './cast.ts';
import type { Outcome, Request } from './request.ts';

const REPORT_MS = 250;
const FULL_REPORTS = 3;
const SWEEP_MS = 20;
const PULL_GAP_MS = 25;
const HOP_MS = 1;

/** What is in the data plane's file. */
export interface TableContent {
  readonly specs: SpecSnapshot;
  readonly endpoints: SavedTable;
}

export class DataPlaneProcess implements DataPlaneMember {
  readonly id: DataPlaneId;
  readonly incarnation: Incarnation;
  readonly specs: SpecReplica = new SpecReplica();
  table: EndpointReplica = new EndpointReplica();
  readonly dispatcher: Dispatcher<Request>;
  readonly #world: World;
  readonly #server: string;
  readonly #random: Prng;
  #fence: Fence = NO_FENCE;
  #announced = false;
  #alive = true;
  #seq = 0;
  #full = 0;
  #reportScheduled = false;
  readonly #pulledMs: Record<PullStream, number> = { endpoints: -1, specs: -1 };
  /** Queues that the leader of now has not acknowledged yet. */
  readonly #demand = new Set<FunctionUid>();
  #demandSeq = 0;
  #demandResendMs = 20;
  #demandScheduled = false;
  /** Not ended yet, its own and its peers'. */
  readonly #open = new Set<Request>();

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
    this.#random = random;
    this.incarnation = { ms: life, nonce: random.uint32() };
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
    this.#reportSoon();
  }

  #see(fence: Fence): boolean {
    const order = compareFence(fence, this.#fence);
    if (!this.#alive || order < 0) return false;
    const isNew = order > 0 || !this.#announced;
    this.#fence = fence;
    this.#announced = true;
    if (isNew) {
      this.#full = FULL_REPORTS;
      this.#reportSoon();
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
    this.#carryOut();
    if (update.changes.length > 0) this.#reportSoon();
  }

  #applySpecs(update: SpecUpdate): void {
    if (update.fenced) return;
    const { nowMs } = this.#world;
    if (update.pull) this.#pull('specs');
    for (const uid of update.deleted) this.dispatcher.deleteFunction(uid, nowMs);
    for (const record of update.put) this.dispatcher.putFunction(record, nowMs);
    this.#carryOut();
    if (update.deleted.length + update.put.length > 0) this.#reportSoon();
  }

  #pull(stream: PullStream): void {
    const { nowMs, network } = this.#world;
    if (nowMs - this.#pulledMs[stream] < PULL_GAP_MS) return;
    this.#pulledMs[stream] = nowMs;
    const { term } = this.#fence;
    network.pass(this.id, 'out', () => {
      const leader = this.#world.leaderOf(term);
      leader?.hear((brain) => {
        leader.flush();
        if (stream === 'endpoints') {
          const snapshot = brain.endpointSnapshot();
          network.pass(this.id, 'in', () => this.#onEndpointSnapshot(snapshot));
        } else {
          const snapshot = leader.specSnapshot();
          network.pass(this.id, 'in', () => {
            if (this.#alive) this.#applySpecs(this.specs.onSnapshot(snapshot));
          });
        }
      });
    });
  }

  // ---- to the leader ------------------------------------------------------------------------------------------------

  #tell(message: DataPlaneMessage, answer: () => void = () => undefined): void {
    const { term } = this.#fence;
    this.#world.network.pass(this.id, 'out', () => {
      const leader = this.#world.leaderOf(term);
      leader?.hear((brain, nowMs) => {
        leader.lives.set(this.id, this.incarnation.ms);
        brain.dataPlaneMessage(this.id, message, nowMs);
        this.#world.network.pass(this.id, 'in', answer);
      });
    });
  }

  #loop(): void {
    if (!this.#alive) return;
    this.#report(true);
    this.#world.queue.after(REPORT_MS, () => this.#loop());
  }

  #reportSoon(): void {
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
    const full = this.#full > 0;
    if (this.#full === FULL_REPORTS || this.#full === 1) {
      const endpoints = this.table.endpoints();
      this.#tell({ kind: 'held', incarnation: this.incarnation, part: 0, parts: 1, endpoints });
    }
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
      owned: this.dispatcher.owned(),
      full,
    });
    if (full) this.#full--;
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
    if (this.#announced)
      this.#tell({ kind: 'demand', incarnation: this.incarnation, seq, loads: waiting }, () => {
        if (compareFence(fence, this.#fence) === 0) for (const { uid } of waiting) this.#demand.delete(uid);
      });
    this.#demandResendMs = Math.min(1_000, this.#demandResendMs * 2);
    this.#world.queue.after(this.#demandResendMs, () => this.#sendDemand());
  }

  // ---- requests -----------------------------------------------------------------------------------------------------

  /** False: it does not know the name, and would ask the leader. */
  call(request: Request): boolean {
    const record = this.specs.find(request.name as FunctionName);
    if (record === undefined || !this.#alive) return false;
    const { nowMs } = this.#world;
    const deadlineMs = nowMs + record.spec.queueTimeoutMs;
    this.#open.add(request);
    this.dispatcher.submit(record.uid, request, { deadlineMs, viaPeer: false, peerIsAhead: false }, nowMs);
    this.#carryOut();
    return true;
  }

  accept(request: Request, uid: FunctionUid, deadlineMs: number, peerIsAhead: boolean): void {
    this.#open.add(request);
    const { nowMs } = this.#world;
    this.dispatcher.submit(uid, request, { deadlineMs, viaPeer: true, peerIsAhead }, nowMs);
    this.#carryOut();
  }

  #sweep(): void {
    if (!this.#alive) return;
    this.dispatcher.sweep(this.#world.nowMs);
    this.#carryOut();
    this.#world.queue.after(SWEEP_MS, () => this.#sweep());
  }

  #carryOut(): void {
    for (let effect = this.dispatcher.effects.shift(); effect !== undefined;) {
      this.#perform(effect);
      effect = this.dispatcher.effects.shift();
    }
  }

  #perform(effect: DispatchEffect<Request>): void {
    switch (effect.kind) {
      case 'dispatch':
        return this.#dispatch(effect.ticket);
      case 'forward':
        return this.#forward(effect.ticket, effect.owner);
      case 'reject':
        return this.#end(effect.ticket.payload, effect.reason);
      case 'demand':
        this.#demand.add(effect.uid);
        this.#demandResendMs = 10;
        return this.#demandSoon();
      case 'drained':
        return this.#reportSoon();
      case 'forget':
        return;
      default:
        return unreachable(effect, 'effect');
    }
  }

  #end(request: Request, outcome: Outcome): void {
    this.#open.delete(request);
    request.end(outcome);
  }

  #dispatch(ticket: Ticket<Request>): void {
    const endpoint = ticket.endpoint?.endpoint;
    const { queue, promises } = this.#world;
    assert(endpoint !== undefined, 'a dispatched ticket has an endpoint');
    const held = this.specs.get(endpoint.uid)?.spec;
    queue.after(0.3, () => {
      const running = this.#world.running(endpoint.sandbox);
      if (!this.#alive) return;
      if (running === undefined || !running.accepts) {
        this.dispatcher.refused(ticket, this.#world.nowMs);
        this.#reportSoon();
        return this.#carryOut();
      }
      promises.onServed(ticket.payload, running.spec, held);
      running.inFlight++;
      promises.onInFlight(endpoint.sandbox, running);
      let over = false;
      const finish = (outcome: Outcome): void => {
        if (over) return;
        over = true;
        running.inFlight--;
        running.onEnd.delete(onLost);
        if (!this.#alive) return;
        this.#end(ticket.payload, outcome);
        this.dispatcher.done(ticket, this.#world.nowMs);
        this.#carryOut();
      };
      const onLost = (): void => finish('sandbox died');
      running.onEnd.add(onLost);
      queue.after(5 + this.#random.below(150), () => finish('ok'));
    });
  }

  #forward(
    ticket: Ticket<Request>,
    owner: { readonly dataPlane: DataPlaneId; readonly incarnation: Incarnation },
  ): void {
    const { queue } = this.#world;
    const back = (run: () => void): void => {
      queue.after(HOP_MS, () => {
        if (!this.#alive) return;
        run();
        this.#carryOut();
      });
    };
    const refused = (): void => back(() => this.dispatcher.forwardRefused(ticket, this.#world.nowMs));
    const own = { fence: this.table.fence, seq: this.table.seq };
    queue.after(HOP_MS, () => {
      const peer = this.#world.dataPlane(owner.dataPlane);
      if (peer === undefined || peer.incarnation.ms !== owner.incarnation.ms) return refused();
      const order = compareFence(own.fence, peer.table.fence);
      const isAhead = order > 0 || (order === 0 && own.seq > peer.table.seq);
      const hop = ticket.payload.hop((outcome) => {
        if (outcome === 'not-owner') return refused();
        back(() => {
          this.#end(ticket.payload, outcome);
          this.dispatcher.done(ticket, this.#world.nowMs);
        });
      });
      peer.accept(hop, ticket.uid, ticket.deadlineMs, isAhead);
    });
  }
}
