/**
 * Queue, throttle and load balancer of one data plane (DESIGN, "Dispatch in the data plane"). Synchronous: every call may
 * append to {@link Dispatcher.effects}, which the caller carries out in order. Invariants D1–D5 are those of
 * function-dispatch.ts. Work is proportional to what changed: functions without traffic cost nothing.
 */
import { assert } from '../../lib/assert.ts';
import type { DataPlaneId, FunctionUid, SandboxId } from '../../lib/ids.ts';
import { limits } from '../../lib/limits.ts';
import type { Prng } from '../../lib/prng.ts';
import type { FunctionLoad } from '../model/data-plane-report.ts';
import { type Incarnation, orderIncarnation } from '../model/fence.ts';
import type { FunctionRecord } from '../model/function.ts';
import type { Endpoint, FunctionOwner, SandboxOwner } from '../model/sandbox.ts';
import { Deadlines } from './deadlines.ts';
import type { DispatchEffect, RejectReason } from './effects.ts';
import { EndpointState } from './endpoint.ts';
import { FunctionDispatch, type Ownership } from './function-dispatch.ts';
import { Ticket } from './ticket.ts';

export interface DispatcherOptions {
  readonly random: Prng;
  readonly self: { readonly dataPlane: DataPlaneId; readonly incarnation: Incarnation };
  readonly queuePerFunction: number;
  /** Width of a deadline bucket: how late a rejection may come. */
  readonly bucketMs: number;
  /** An endpoint that refused is tried again after this long, then twice as long, up to the maximum. */
  readonly refusedRetryMs: number;
  readonly refusedRetryMaxMs: number;
  /** A peer that refused, or said that it is not the owner, is left alone this long unless an update names an owner. */
  readonly suspectOwnerMs: number;
  /** How long a drained endpoint stays in reports; longer than a lease, so that no lost report hides it. */
  readonly drainedRetentionMs: number;
}

export const DISPATCHER_DEFAULTS: Omit<DispatcherOptions, 'random' | 'self'> = {
  queuePerFunction: limits.queuePerFunction,
  bucketMs: 8,
  refusedRetryMs: 1_000,
  refusedRetryMaxMs: 16_000,
  suspectOwnerMs: 100,
  drainedRetentionMs: 10_000,
};

export interface SubmitOptions {
  readonly deadlineMs: number;
  readonly viaPeer: boolean;
  /** The peer has seen a later endpoint table than this one: wait for it rather than send the request back. */
  readonly peerIsAhead: boolean;
}

interface Withdrawing {
  readonly state: EndpointState | undefined;
  /** When it reached zero; undefined while requests are in flight. */
  zeroSinceMs: number | undefined;
}

export class Dispatcher<T> {
  /** Filled by every call; the caller takes and empties it. */
  readonly effects: DispatchEffect<T>[] = [];
  readonly #options: DispatcherOptions;
  readonly #functions = new Map<FunctionUid, FunctionDispatch<T>>();
  readonly #sandboxes = new Map<SandboxId, EndpointState>();
  readonly #withdrawing = new Map<SandboxId, Withdrawing>();
  /** Endpoints in phase `refused`, to be tried again, and `condemned`, to be reported. */
  readonly #refused = new Set<EndpointState>();
  readonly #suspects = new Set<FunctionDispatch<T>>();
  /** Functions with load, now or since the last sample. */
  readonly #active = new Set<FunctionDispatch<T>>();
  /** Functions whose owner entry names this life of this data plane. */
  readonly #owned = new Set<FunctionUid>();
  readonly #deadlines: Deadlines<T>;
  readonly #leave: (ticket: Ticket<T>) => void;
  #seq = 1;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#deadlines = new Deadlines(options.bucketMs);
    this.#leave = (ticket) => {
      this.#functions.get(ticket.uid)?.queue.remove(ticket);
      this.#deadlines.remove(ticket);
    };
  }

  // --- what the leader said -------------------------------------------------------------------------------------

  /** A new function, or a new generation of one: from here on only that generation's endpoints are used (D5). */
  putFunction(record: FunctionRecord, nowMs: number): void {
    const fn = this.#function(record.uid, nowMs);
    fn.record = record;
    fn.refreshAll();
    this.#own(fn, nowMs);
  }

  /** What is queued is rejected; what runs finishes. */
  deleteFunction(uid: FunctionUid, nowMs: number): void {
    const fn = this.#functions.get(uid);
    if (fn === undefined) return;
    fn.record = undefined;
    fn.refreshAll();
    while (fn.queue.head !== undefined) this.#reject(fn.queue.head, 'unknown-function');
    this.#tidy(fn, nowMs);
  }

  putEndpoint(endpoint: Endpoint, nowMs: number): void {
    let state = this.#sandboxes.get(endpoint.sandbox);
    // A sandbox belongs to one function for life (R7); whoever says otherwise is not believed.
    if (state !== undefined && state.endpoint.uid !== endpoint.uid) return;
    this.#withdrawing.delete(endpoint.sandbox);
    const fn = this.#function(endpoint.uid, nowMs);
    if (state === undefined) {
      state = new EndpointState(endpoint);
      this.#sandboxes.set(endpoint.sandbox, state);
      fn.endpoints.add(state);
    } else {
      state.endpoint = endpoint;
      // Whoever says it again has heard from its worker since it refused.
      state.phase = state.condemned ? 'condemned' : 'serving';
      if (state.condemned) this.#refused.add(state);
      else this.#refused.delete(state);
    }
    state.isOwn = this.#isSelf(endpoint.owner);
    fn.refresh(state);
    this.#pump(fn, nowMs);
  }

  /** Also for a sandbox that is unknown here: the leader waits to hear that nothing is in flight on it. */
  withdrawEndpoint(sandbox: SandboxId, nowMs: number): void {
    const state = this.#sandboxes.get(sandbox);
    if (state === undefined) {
      if (!this.#withdrawing.has(sandbox)) {
        this.#withdrawing.set(sandbox, { state: undefined, zeroSinceMs: nowMs });
        this.effects.push({ kind: 'drained', sandbox });
      }
      return;
    }
    state.phase = 'withdrawing';
    this.#refused.delete(state);
    this.#functions.get(state.endpoint.uid)?.refresh(state);
    this.#withdrawing.set(sandbox, { state, zeroSinceMs: undefined });
    if (state.inFlight === 0) this.#drained(state, nowMs);
  }

  /** Undefined: released. */
  setOwner(uid: FunctionUid, owner: FunctionOwner | undefined, nowMs: number): void {
    const fn = this.#function(uid, nowMs);
    fn.owner = owner;
    if (this.#isSelf(owner)) this.#owned.add(uid);
    else this.#owned.delete(uid);
    this.#own(fn, nowMs);
    if (fn.ownership.kind === 'remote') this.#sendBackPeers(fn);
    this.#tidy(fn, nowMs);
  }

  // --- requests ---------------------------------------------------------------------------------------------------

  submit(uid: FunctionUid, payload: T, options: SubmitOptions, nowMs: number): Ticket<T> {
    const fn = this.#functions.get(uid);
    const ticket = new Ticket(payload, uid, options.viaPeer, this.#seq++, nowMs, options.deadlineMs);
    if (fn?.record === undefined) {
      this.#reject(ticket, 'unknown-function', false);
      return ticket;
    }
    if (options.viaPeer && fn.ownership.kind === 'remote' && !options.peerIsAhead) {
      this.#reject(ticket, 'not-owner', false);
      return ticket;
    }
    fn.budget.deposit();
    if (fn.queue.length >= this.#options.queuePerFunction) {
      this.#reject(ticket, 'queue-full', false);
      return ticket;
    }
    // Joining the queue and taking a slot are one step (D4); a request that finds a free slot is in the queue for no time.
    this.#enqueue(fn, ticket, nowMs);
    return ticket;
  }

  /** The exchange is over on the wire: the slot is free. Also ends a forwarded ticket. */
  done(ticket: Ticket<T>, nowMs: number): void {
    if (ticket.state === 'dispatched') this.#giveBack(ticket, nowMs);
    else assert(ticket.state === 'forwarded', 'D2: an exchange ends once');
    ticket.state = 'ended';
    const fn = this.#functions.get(ticket.uid);
    if (fn !== undefined) this.#pump(fn, nowMs);
  }

  /** The request never reached the sandbox: it goes back to the front, under its old deadline. */
  requeue(ticket: Ticket<T>, nowMs: number): void {
    assert(ticket.state === 'dispatched', 'only a dispatched ticket goes back');
    this.#giveBack(ticket, nowMs);
    this.#returnToQueue(ticket, nowMs);
  }

  /** The endpoint refused the connection: out at once, reported, and tried again later; its request goes back. */
  refused(ticket: Ticket<T>, nowMs: number): void {
    const state = ticket.endpoint;
    assert(ticket.state === 'dispatched' && state !== undefined, 'a refusal belongs to a dispatched ticket');
    this.#takeOut(state, 'refused', nowMs);
    this.requeue(ticket, nowMs);
  }

  /** A slot of this endpoint will never be given back: no request goes there again. */
  condemn(ticket: Ticket<T>, nowMs: number): void {
    if (ticket.endpoint === undefined) return;
    ticket.endpoint.condemned = true;
    this.#takeOut(ticket.endpoint, 'condemned', nowMs);
  }

  /** A request that answered shows that the endpoint is well. */
  answered(ticket: Ticket<T>): void {
    if (ticket.endpoint !== undefined) ticket.endpoint.backoffMs = 0;
  }

  /** The owner refused the hop, or is not the owner: the request waits here for a while, or for another owner. */
  forwardRefused(ticket: Ticket<T>, nowMs: number): void {
    assert(ticket.state === 'forwarded', 'only a forwarded ticket comes back from its hop');
    const fn = this.#functions.get(ticket.uid);
    if (fn !== undefined && fn.ownership.kind === 'remote' && fn.ownership.suspectUntilMs <= nowMs) {
      fn.ownership = { ...fn.ownership, suspectUntilMs: nowMs + this.#options.suspectOwnerMs };
      this.#suspects.add(fn);
    }
    this.#returnToQueue(ticket, nowMs);
  }

  /** The caller left. True when the ticket was waiting and is gone; false when an exchange must be ended first. */
  cancel(ticket: Ticket<T>, nowMs: number): boolean {
    if (ticket.state !== 'queued') return false;
    const fn = this.#functions.get(ticket.uid);
    this.#leave(ticket);
    ticket.state = 'ended';
    if (fn !== undefined) this.#tidy(fn, nowMs);
    return true;
  }

  /** Whether one more attempt of a request that a sandbox may have seen is within the function's budget. */
  mayRetry(uid: FunctionUid): boolean {
    return this.#functions.get(uid)?.budget.withdraw() ?? false;
  }

  // --- time -------------------------------------------------------------------------------------------------------

  nextWakeMs(): number | undefined {
    let next = this.#deadlines.nextMs() ?? Number.POSITIVE_INFINITY;
    for (const state of this.#refused) if (state.phase === 'refused') next = Math.min(next, state.retryAtMs);
    for (const fn of this.#suspects) {
      if (fn.ownership.kind === 'remote') next = Math.min(next, fn.ownership.suspectUntilMs);
    }
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  sweep(nowMs: number): void {
    for (const ticket of this.#deadlines.due(nowMs)) {
      const fn = this.#functions.get(ticket.uid);
      this.#reject(ticket, 'no-capacity');
      if (fn !== undefined) this.#tidy(fn, nowMs);
    }
    for (const state of this.#refused) {
      if (state.phase !== 'refused' || state.retryAtMs > nowMs) continue;
      this.#refused.delete(state);
      state.phase = 'serving';
      const fn = this.#functions.get(state.endpoint.uid);
      fn?.refresh(state);
      if (fn !== undefined) this.#pump(fn, nowMs);
    }
    for (const fn of this.#suspects) {
      if (fn.ownership.kind === 'remote' && fn.ownership.suspectUntilMs > nowMs) continue;
      this.#suspects.delete(fn);
      this.#pump(fn, nowMs);
    }
  }

  // --- what the leader hears --------------------------------------------------------------------------------------

  /**
   * Every function with load here. `restart` begins a new measuring interval; without it the last interval's means are
   * said again beside what is queued now.
   */
  loads(nowMs: number, restart: boolean): FunctionLoad[] {
    const loads: FunctionLoad[] = [];
    for (const fn of this.#active) {
      const inFlight = restart ? fn.load.sample(nowMs) : fn.load.value;
      if (inFlight > 0 || fn.queue.length > 0) loads.push({ uid: fn.uid, inFlight, queued: fn.queue.length });
      if (restart && fn.queue.length === 0 && fn.load.idle) {
        this.#active.delete(fn);
        this.#tidy(fn, nowMs);
      }
    }
    return loads;
  }

  load(uid: FunctionUid): FunctionLoad {
    const fn = this.#functions.get(uid);
    return { uid, inFlight: fn?.inFlight ?? 0, queued: fn?.queue.length ?? 0 };
  }

  withdrawing(nowMs: number): { readonly sandbox: SandboxId; readonly inFlight: number }[] {
    const list: { sandbox: SandboxId; inFlight: number }[] = [];
    for (const [sandbox, entry] of this.#withdrawing) {
      if (entry.zeroSinceMs !== undefined && nowMs - entry.zeroSinceMs > this.#options.drainedRetentionMs) {
        this.#withdrawing.delete(sandbox);
      } else list.push({ sandbox, inFlight: entry.state?.inFlight ?? 0 });
    }
    return list;
  }

  /** To be tried again: their workers know more. */
  refusedEndpoints(): SandboxId[] {
    return this.#out('refused');
  }

  /** Out of use for good. */
  condemnedEndpoints(): SandboxId[] {
    return this.#out('condemned');
  }

  #out(phase: 'refused' | 'condemned'): SandboxId[] {
    const out: SandboxId[] = [];
    for (const state of this.#refused) if (state.phase === phase) out.push(state.endpoint.sandbox);
    return out;
  }

  /** Hard-limited functions that this data plane dispatches for. */
  owned(): FunctionUid[] {
    return [...this.#owned];
  }

  readyCount(uid: FunctionUid): number {
    return this.#functions.get(uid)?.readyCount ?? 0;
  }

  totals(): { readonly inFlight: number; readonly queued: number } {
    let inFlight = 0;
    let queued = 0;
    for (const fn of this.#active) {
      inFlight += fn.inFlight;
      queued += fn.queue.length;
    }
    return { inFlight, queued };
  }

  // --- inside -----------------------------------------------------------------------------------------------------

  #function(uid: FunctionUid, nowMs: number): FunctionDispatch<T> {
    let fn = this.#functions.get(uid);
    if (fn === undefined) {
      fn = new FunctionDispatch(uid, this.#options.random, nowMs);
      this.#functions.set(uid, fn);
    }
    return fn;
  }

  #pump(fn: FunctionDispatch<T>, nowMs: number): void {
    fn.pump(nowMs, this.#leave, this.effects);
    fn.load.set(fn.inFlight, nowMs);
    if (fn.inFlight > 0 || fn.queue.length > 0) this.#active.add(fn);
  }

  #isSelf(owner: SandboxOwner | undefined): boolean {
    const { dataPlane, incarnation } = this.#options.self;
    return owner?.dataPlane === dataPlane && orderIncarnation(owner.incarnation, incarnation) === 'same';
  }

  #ownership(fn: FunctionDispatch<T>): Ownership {
    if (fn.record === undefined || fn.record.spec.containerConcurrency === 0) return { kind: 'local' };
    if (this.#isSelf(fn.owner)) return { kind: 'local' };
    // An earlier life of this process was the owner: what it had in flight is unknown, so nobody dispatches.
    if (fn.owner === undefined || fn.owner.dataPlane === this.#options.self.dataPlane)
      return { kind: 'unowned' };
    return { kind: 'remote', owner: fn.owner, suspectUntilMs: 0 };
  }

  #own(fn: FunctionDispatch<T>, nowMs: number): void {
    const before = fn.ownership.kind;
    fn.ownership = this.#ownership(fn);
    this.#suspects.delete(fn);
    this.#pump(fn, nowMs);
    // The new owner's demand is news to the leader even though its queue did not just begin.
    if (before !== fn.ownership.kind && fn.ownership.kind === 'local' && fn.queue.length > 0) {
      this.effects.push({ kind: 'demand', uid: fn.uid });
    }
  }

  /** Requests that have had their one hop, to a data plane that turns out not to be the owner. */
  #sendBackPeers(fn: FunctionDispatch<T>): void {
    let ticket = fn.queue.head;
    while (ticket !== undefined) {
      const next = ticket.next;
      if (ticket.viaPeer) this.#reject(ticket, 'not-owner');
      ticket = next;
    }
  }

  #enqueue(fn: FunctionDispatch<T>, ticket: Ticket<T>, nowMs: number): void {
    const wasEmpty = fn.queue.length === 0;
    ticket.state = 'queued';
    ticket.endpoint = undefined;
    fn.queue.insert(ticket);
    this.#pump(fn, nowMs);
    if (!stillQueued(ticket)) return;
    this.#deadlines.add(ticket);
    if (wasEmpty) this.effects.push({ kind: 'demand', uid: fn.uid });
  }

  /** Whatever becomes of the ticket, the slot it gave back is offered to the queue (D4). */
  #returnToQueue(ticket: Ticket<T>, nowMs: number): void {
    const fn = this.#functions.get(ticket.uid);
    if (fn?.record === undefined) this.#reject(ticket, 'unknown-function', false);
    else if (ticket.deadlineMs <= nowMs) this.#reject(ticket, 'no-capacity', false);
    else if (ticket.viaPeer && fn.ownership.kind === 'remote') this.#reject(ticket, 'not-owner', false);
    else {
      this.#enqueue(fn, ticket, nowMs);
      return;
    }
    if (fn !== undefined) this.#pump(fn, nowMs);
  }

  #reject(ticket: Ticket<T>, reason: RejectReason, queued = true): void {
    if (queued) this.#leave(ticket);
    ticket.state = 'ended';
    this.effects.push({ kind: 'reject', ticket, reason });
  }

  #giveBack(ticket: Ticket<T>, nowMs: number): void {
    const state = ticket.endpoint;
    assert(state !== undefined, 'D2: a dispatched ticket has an endpoint');
    const fn = this.#functions.get(ticket.uid);
    assert(fn !== undefined, 'a function with requests in flight is kept');
    fn.giveBack(state);
    fn.load.set(fn.inFlight, nowMs);
    if (state.phase === 'withdrawing' && state.inFlight === 0) this.#drained(state, nowMs);
  }

  #drained(state: EndpointState, nowMs: number): void {
    const { sandbox, uid, address } = state.endpoint;
    this.#sandboxes.delete(sandbox);
    const fn = this.#functions.get(uid);
    fn?.endpoints.delete(state);
    fn?.refresh(state);
    this.#withdrawing.set(sandbox, { state: undefined, zeroSinceMs: nowMs });
    this.effects.push({ kind: 'drained', sandbox }, { kind: 'forget', address });
    if (fn !== undefined) this.#tidy(fn, nowMs);
  }

  #takeOut(state: EndpointState, phase: 'refused' | 'condemned', nowMs: number): void {
    if (state.phase === 'withdrawing' || state.phase === 'condemned') return;
    if (phase === 'condemned' || state.phase === 'serving') {
      state.backoffMs = Math.min(
        state.backoffMs === 0 ? this.#options.refusedRetryMs : state.backoffMs * 2,
        this.#options.refusedRetryMaxMs,
      );
      state.retryAtMs = nowMs + state.backoffMs;
    }
    state.phase = phase;
    this.#refused.add(state);
    this.#functions.get(state.endpoint.uid)?.refresh(state);
  }

  #tidy(fn: FunctionDispatch<T>, nowMs: number): void {
    fn.load.set(fn.inFlight, nowMs);
    if (fn.vacant) {
      this.#functions.delete(fn.uid);
      this.#active.delete(fn);
      this.#suspects.delete(fn);
    }
  }
}

/** A function, so that the compiler does not keep what it knew of the state before a call that changed it. */
function stillQueued<T>(ticket: Ticket<T>): boolean {
  return ticket.state === 'queued';
}
