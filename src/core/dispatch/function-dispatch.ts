/**
 * One function in one data plane: its endpoints with their slots, its queue, and who may dispatch for it.
 *
 * Invariants:
 * - D1 a slot is taken by exactly one request: 0 ≤ inFlight ≤ slots for every endpoint;
 * - D2 a ticket is in exactly one of: the queue, one endpoint's slots, the owner's hands, ended;
 * - D3 tickets leave the queue in order of arrival; one that comes back goes ahead of all that came later;
 * - D4 after every public call there is not both a dispatchable ticket and a free slot (no lost wake-up: taking a slot
 *   and joining the queue are one step, and every step that frees a slot looks at the queue);
 * - D5 only endpoints of the specification's own generation are ready, and under a hard limit only those that this data plane owns.
 */
import { assert, unreachable } from '../../lib/assert.ts';
import type { FunctionUid } from '../../lib/ids.ts';
import type { Prng } from '../../lib/prng.ts';
import type { FunctionRecord } from '../model/function.ts';
import type { FunctionOwner } from '../model/sandbox.ts';
import type { DispatchEffect } from './effects.ts';
import type { EndpointState } from './endpoint.ts';
import { LoadMeter } from './load.ts';
import { RetryBudget } from './retry-budget.ts';
import { type Ticket, TicketQueue } from './ticket.ts';

/**
 * Who dispatches. `local`: this data plane. `unowned`: a hard limit whose owner has not been named yet; requests wait.
 * `remote`: another data plane; while it is suspect (it refused a connection, or said that it is not the owner) requests
 * wait here.
 */
export type Ownership =
  | { readonly kind: 'local' }
  | { readonly kind: 'unowned' }
  | { readonly kind: 'remote'; readonly owner: FunctionOwner; readonly suspectUntilMs: number };

const LOCAL: Ownership = { kind: 'local' };

export class FunctionDispatch<T> {
  readonly uid: FunctionUid;
  readonly endpoints: Set<EndpointState> = new Set();
  readonly queue: TicketQueue<T> = new TicketQueue();
  readonly budget: RetryBudget = new RetryBudget();
  readonly load: LoadMeter;
  record: FunctionRecord | undefined = undefined;
  /** The entry the leader published; it matters while the function has a hard limit. */
  owner: FunctionOwner | undefined = undefined;
  ownership: Ownership = LOCAL;
  inFlight = 0;
  readonly #random: Prng;
  readonly #ready: EndpointState[] = [];
  readonly #free: EndpointState[] = [];
  #cursor = 0;

  constructor(uid: FunctionUid, random: Prng, nowMs: number) {
    this.uid = uid;
    this.#random = random;
    this.load = new LoadMeter(nowMs);
  }

  get readyCount(): number {
    return this.#ready.length;
  }

  /** Nothing keeps this function in memory. */
  get vacant(): boolean {
    return (
      this.record === undefined &&
      this.endpoints.size === 0 &&
      this.queue.length === 0 &&
      this.inFlight === 0 &&
      this.owner === undefined &&
      this.load.idle
    );
  }

  /** After a change of record, phase or endpoints: which endpoints are ready, and with how many slots. */
  refresh(state: EndpointState): void {
    const limit = this.record?.spec.containerConcurrency ?? 0;
    state.slots = limit > 0 ? limit : Number.POSITIVE_INFINITY;
    const ready =
      state.phase === 'serving' &&
      this.endpoints.has(state) &&
      this.record !== undefined &&
      state.endpoint.generation === this.record.generation &&
      (limit === 0 || state.isOwn);
    if (ready && state.readyIndex === -1) {
      state.readyIndex = this.#ready.length;
      this.#ready.push(state);
    } else if (!ready && state.readyIndex !== -1) {
      const last = this.#ready.pop();
      assert(last !== undefined, 'an indexed endpoint is in the list');
      if (last !== state) {
        this.#ready[state.readyIndex] = last;
        last.readyIndex = state.readyIndex;
      }
      state.readyIndex = -1;
    }
    this.#refreshFree(state);
  }

  refreshAll(): void {
    for (const state of this.endpoints) this.refresh(state);
  }

  take(state: EndpointState): void {
    assert(state.inFlight < state.slots, 'D1: a slot is given once');
    state.inFlight++;
    this.inFlight++;
    this.#refreshFree(state);
  }

  giveBack(state: EndpointState): void {
    assert(state.inFlight > 0 && this.inFlight > 0, 'D1: a slot is given back once');
    state.inFlight--;
    this.inFlight--;
    this.#refreshFree(state);
  }

  /** Sends on whatever can go: D4 holds afterwards. */
  pump(nowMs: number, leave: (ticket: Ticket<T>) => void, effects: DispatchEffect<T>[]): void {
    const ownership = this.ownership;
    switch (ownership.kind) {
      case 'unowned':
        return;
      case 'remote':
        if (ownership.suspectUntilMs <= nowMs) this.#forwardAll(ownership.owner, leave, effects);
        return;
      case 'local':
        while (this.queue.head !== undefined && this.#free.length > 0) {
          const ticket = this.queue.head;
          const endpoint = this.#pick();
          leave(ticket);
          ticket.state = 'dispatched';
          ticket.endpoint = endpoint;
          this.take(endpoint);
          effects.push({ kind: 'dispatch', ticket, endpoint });
        }
    }
  }

  #forwardAll(owner: FunctionOwner, leave: (ticket: Ticket<T>) => void, effects: DispatchEffect<T>[]): void {
    let ticket = this.queue.head;
    while (ticket !== undefined) {
      const next = ticket.next;
      // One that has had its hop waits for a newer word on who owns the function.
      if (!ticket.viaPeer) {
        leave(ticket);
        ticket.state = 'forwarded';
        effects.push({ kind: 'forward', ticket, owner });
      }
      ticket = next;
    }
  }

  #refreshFree(state: EndpointState): void {
    const free = state.readyIndex !== -1 && state.inFlight < state.slots;
    if (free && state.freeIndex === -1) {
      state.freeIndex = this.#free.length;
      this.#free.push(state);
    } else if (!free && state.freeIndex !== -1) {
      const last = this.#free.pop();
      assert(last !== undefined, 'an indexed endpoint is in the list');
      if (last !== state) {
        this.#free[state.freeIndex] = last;
        last.freeIndex = state.freeIndex;
      }
      state.freeIndex = -1;
    }
  }

  #pick(): EndpointState {
    const free = this.#free;
    const first = free[0];
    assert(first !== undefined, 'there is a free slot');
    if (free.length === 1) return first;
    const policy = this.record?.spec.loadBalancing ?? 'two-choices';
    switch (policy) {
      case 'two-choices':
        return this.#twoChoices();
      case 'random':
        return free[this.#random.below(free.length)] ?? first;
      case 'least-loaded':
        return this.#leastLoaded(first);
      case 'round-robin':
        return this.#roundRobin(first);
      default:
        return unreachable(policy, 'load balancing');
    }
  }

  #twoChoices(): EndpointState {
    const free = this.#free;
    const i = this.#random.below(free.length);
    const other = this.#random.below(free.length - 1);
    const a = free[i];
    const b = free[other >= i ? other + 1 : other];
    assert(a !== undefined && b !== undefined, 'both choices are in range');
    return b.inFlight < a.inFlight ? b : a;
  }

  /** Begins at a random place, so that equals share. */
  #leastLoaded(first: EndpointState): EndpointState {
    const free = this.#free;
    const start = this.#random.below(free.length);
    let best = free[start] ?? first;
    for (let k = 1; k < free.length; k++) {
      const candidate = free[(start + k) % free.length];
      if (candidate !== undefined && candidate.inFlight < best.inFlight) best = candidate;
    }
    return best;
  }

  /** In the order of `ready`, skipping those without a free slot: at least one has one. */
  #roundRobin(first: EndpointState): EndpointState {
    const ready = this.#ready;
    for (let k = 0; k < ready.length; k++) {
      const at = (this.#cursor + k) % ready.length;
      const candidate = ready[at];
      if (candidate === undefined || candidate.freeIndex === -1) continue;
      this.#cursor = at + 1;
      return candidate;
    }
    return first;
  }
}
