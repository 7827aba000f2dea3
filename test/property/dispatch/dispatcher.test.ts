/**
 * Random histories of registrations, endpoints, requests, refusals, aborts and time against a reference that keeps plain
 * lists. What must hold after every step: D1–D5 of function-dispatch.ts, and each request ends exactly once.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DispatchEffect } from '../../../src/core/dispatch/effects.ts';
import type { Ticket } from '../../../src/core/dispatch/ticket.ts';
import { functionUid, sandboxId } from '../../../src/lib/ids.ts';
import { Bench, endpoint, owner, record, SELF } from '../../unit/dispatch/fixtures.ts';

const UIDS = [7, 8] as const;

type Step =
  | { readonly kind: 'submit'; readonly uid: number; readonly waitMs: number }
  | {
      readonly kind: 'put';
      readonly uid: number;
      readonly sandbox: number;
      readonly ahead: number;
      readonly own: boolean;
    }
  | { readonly kind: 'withdraw'; readonly uid: number; readonly sandbox: number }
  | { readonly kind: 'generation'; readonly uid: number; readonly hardLimit: number }
  | { readonly kind: 'delete'; readonly uid: number }
  | { readonly kind: 'owner'; readonly uid: number; readonly who: 'self' | 'other' | 'none' }
  | { readonly kind: 'finish' | 'refuse' | 'requeue' | 'condemn'; readonly pick: number }
  | { readonly kind: 'hop-done' | 'hop-refused'; readonly pick: number }
  | { readonly kind: 'cancel'; readonly pick: number }
  | { readonly kind: 'time'; readonly ms: number };

const uid = fc.constantFrom(...UIDS);
const sandbox = fc.integer({ min: 0, max: 3 });
const pick = fc.nat(50);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('submit' as const),
      uid,
      waitMs: fc.integer({ min: 1, max: 400 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      uid,
      sandbox,
      ahead: fc.constantFrom(0, 0, 0, 0, 1, -1),
      own: fc.constantFrom(true, true, true, false),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('withdraw' as const), uid, sandbox }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('generation' as const),
      uid,
      hardLimit: fc.integer({ min: 0, max: 2 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), uid }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('owner' as const),
      uid,
      who: fc.constantFrom('self' as const, 'self' as const, 'other' as const, 'none' as const),
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'finish' as const,
        'finish' as const,
        'refuse' as const,
        'requeue' as const,
        'condemn' as const,
      ),
      pick,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom('hop-done' as const, 'hop-refused' as const), pick }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const), pick }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 300 }) }),
  },
);

interface ReferenceEndpoint {
  /** A hard limit is ours to keep there. */
  readonly own: boolean;
  readonly generation: number;
  phase: 'serving' | 'withdrawing' | 'out';
}

class World {
  readonly bench = new Bench();
  readonly queued = new Map<string, Ticket<string>>();
  readonly running = new Map<string, { ticket: Ticket<string>; sandbox: string }>();
  readonly forwarded = new Map<string, Ticket<string>>();
  readonly ended = new Set<string>();
  readonly endpoints = new Map<string, ReferenceEndpoint>();
  readonly condemned = new Set<string>();
  readonly records = new Map<number, { generation: number; hardLimit: number }>();
  readonly owners = new Map<number, 'self' | 'other' | 'none'>();
  readonly everGeneration = new Map<number, number>();
  /** Functions that had a queue after the last step. */
  readonly waited = new Set<number>();
  dispatched = 0;
  #next = 0;

  apply(step: Step): void {
    const { bench } = this;
    const { dispatcher } = bench;
    switch (step.kind) {
      case 'submit': {
        const ticket = bench.submit(`r${this.#next++}`, {
          uid: step.uid,
          deadlineMs: bench.nowMs + step.waitMs,
        });
        if (ticket.state === 'queued') this.queued.set(ticket.payload, ticket);
        break;
      }
      case 'put': {
        const current = this.everGeneration.get(step.uid) ?? 1;
        const generation = Math.min(3, Math.max(1, current + step.ahead));
        const name = `s-${step.uid}-${step.sandbox}-${generation}`;
        const known = this.endpoints.get(name);
        const condemned = this.condemned.has(name);
        // Whose a sandbox is does not change.
        const own = known?.own ?? step.own;
        const { dataPlane, incarnation } = own ? SELF : owner('dp-2');
        dispatcher.putEndpoint(
          endpoint(name, { uid: step.uid, generation, owner: { dataPlane, incarnation } }),
          bench.nowMs,
        );
        if (known === undefined) this.endpoints.set(name, { generation, own, phase: 'serving' });
        else known.phase = condemned ? 'out' : 'serving';
        break;
      }
      case 'withdraw': {
        for (const generation of [1, 2, 3]) {
          const name = `s-${step.uid}-${step.sandbox}-${generation}`;
          const known = this.endpoints.get(name);
          if (known !== undefined) known.phase = 'withdrawing';
          dispatcher.withdrawEndpoint(sandboxId(name), bench.nowMs);
        }
        break;
      }
      case 'generation': {
        const generation = Math.min(3, (this.everGeneration.get(step.uid) ?? 0) + 1);
        this.everGeneration.set(step.uid, generation);
        this.records.set(step.uid, { generation, hardLimit: step.hardLimit });
        dispatcher.putFunction(record({ uid: step.uid, generation, hardLimit: step.hardLimit }), bench.nowMs);
        break;
      }
      case 'delete':
        this.records.delete(step.uid);
        dispatcher.deleteFunction(functionUid(step.uid), bench.nowMs);
        break;
      case 'owner':
        this.owners.set(step.uid, step.who);
        dispatcher.setOwner(
          functionUid(step.uid),
          step.who === 'none' ? undefined : owner(step.who === 'self' ? 'dp-1' : 'dp-2'),
          bench.nowMs,
        );
        break;
      case 'cancel': {
        const ticket = nth(this.queued, step.pick);
        if (ticket !== undefined) {
          expect(dispatcher.cancel(ticket, bench.nowMs)).toBe(true);
          this.end(ticket.payload);
        }
        break;
      }
      case 'time': {
        bench.nowMs += step.ms;
        dispatcher.sweep(bench.nowMs);
        const isOut = new Set([...dispatcher.refusedEndpoints(), ...dispatcher.condemnedEndpoints()]);
        for (const [name, state] of this.endpoints) {
          if (state.phase === 'out' && !isOut.has(sandboxId(name))) state.phase = 'serving';
        }
        break;
      }
      case 'hop-done':
      case 'hop-refused': {
        const ticket = nth(this.forwarded, step.pick);
        if (ticket === undefined) break;
        this.forwarded.delete(ticket.payload);
        if (step.kind === 'hop-done') {
          dispatcher.done(ticket, bench.nowMs);
          this.end(ticket.payload);
        } else {
          this.queued.set(ticket.payload, ticket);
          dispatcher.forwardRefused(ticket, bench.nowMs);
        }
        break;
      }
      default:
        this.#exchange(step);
    }
    this.settle();
  }

  #exchange(step: { kind: 'finish' | 'refuse' | 'requeue' | 'condemn'; pick: number }): void {
    const { dispatcher, nowMs } = this.bench;
    const run = nth(this.running, step.pick);
    if (run === undefined) return;
    const state = this.endpoints.get(run.sandbox);
    const out = (): void => {
      if (state !== undefined && state.phase === 'serving') state.phase = 'out';
    };
    if (step.kind === 'condemn') {
      dispatcher.condemn(run.ticket, nowMs);
      if (state !== undefined) this.condemned.add(run.sandbox);
      out();
      return;
    }
    this.running.delete(run.ticket.payload);
    if (step.kind === 'finish') {
      dispatcher.done(run.ticket, nowMs);
      this.end(run.ticket.payload);
    } else {
      this.queued.set(run.ticket.payload, run.ticket);
      if (step.kind === 'refuse') {
        out();
        dispatcher.refused(run.ticket, nowMs);
      } else dispatcher.requeue(run.ticket, nowMs);
    }
  }

  end(payload: string): void {
    expect(this.ended.has(payload), `${payload} ends once`).toBe(false);
    this.queued.delete(payload);
    this.ended.add(payload);
  }

  #inFlight(sandbox: string): number {
    return [...this.running.values()].filter((run) => run.sandbox === sandbox).length;
  }

  settle(): void {
    const lastSeq = new Map<number, number>();
    const demanded = new Set<number>();
    for (const effect of this.bench.take()) {
      if (effect.kind === 'demand') demanded.add(effect.uid);
      this.#observe(effect, lastSeq);
    }
    this.check();
    for (const uid of UIDS) {
      const waits = [...this.queued.values()].some((ticket) => ticket.uid === uid);
      if (waits && !this.waited.has(uid))
        expect(demanded.has(uid), 'the leader hears of a queue that begins').toBe(true);
      if (waits) this.waited.add(uid);
      else this.waited.delete(uid);
    }
  }

  #observe(effect: DispatchEffect<string>, lastSeq: Map<number, number>): void {
    switch (effect.kind) {
      case 'dispatch': {
        const { ticket } = effect;
        expect(this.running.has(ticket.payload), 'D2: not dispatched twice').toBe(false);
        expect(this.ended.has(ticket.payload)).toBe(false);
        expect(ticket.seq, 'D3: in order of arrival').toBeGreaterThan(lastSeq.get(ticket.uid) ?? 0);
        lastSeq.set(ticket.uid, ticket.seq);
        for (const waiting of this.queued.values()) {
          if (waiting.uid === ticket.uid && waiting.state === 'queued')
            expect(waiting.seq).toBeGreaterThan(ticket.seq);
        }
        const { sandbox, generation } = effect.endpoint.endpoint;
        const limit = this.records.get(ticket.uid)?.hardLimit ?? 0;
        if (limit > 0) expect(this.endpoints.get(sandbox)?.own, 'D5').toBe(true);
        if (limit > 0) expect(this.#inFlight(sandbox), 'D1: a slot is free').toBeLessThan(limit);
        expect(generation, 'D5').toBe(this.records.get(ticket.uid)?.generation);
        expect(this.endpoints.get(sandbox)?.phase).toBe('serving');
        this.queued.delete(ticket.payload);
        this.dispatched++;
        this.running.set(ticket.payload, { ticket, sandbox });
        return;
      }
      case 'forward':
        expect(this.owners.get(effect.ticket.uid)).toBe('other');
        this.queued.delete(effect.ticket.payload);
        this.forwarded.set(effect.ticket.payload, effect.ticket);
        return;
      case 'reject':
        this.end(effect.ticket.payload);
        return;
      case 'drained':
        this.endpoints.delete(effect.sandbox);
        this.condemned.delete(effect.sandbox);
        return;
      case 'demand':
      case 'forget':
        return;
    }
  }

  check(): void {
    for (const uid of UIDS) {
      const spec = this.records.get(uid);
      const limit = spec === undefined || spec.hardLimit === 0 ? Number.POSITIVE_INFINITY : spec.hardLimit;
      const waiting = [...this.queued.values()].filter((ticket) => ticket.uid === uid);
      for (const ticket of waiting) expect(ticket.state).toBe('queued');
      const mayDispatch =
        spec !== undefined && (spec.hardLimit === 0 || (this.owners.get(uid) ?? 'none') === 'self');
      for (const [name, state] of this.endpoints) {
        if (!name.startsWith(`s-${uid}-`)) continue;
        const inFlight = this.#inFlight(name);
        const reported = this.bench.dispatcher
          .withdrawing(this.bench.nowMs)
          .find((entry) => entry.sandbox === name);
        if (state.phase === 'withdrawing') expect(reported).toEqual({ sandbox: name, inFlight });
        const isOwn = spec?.hardLimit === 0 || state.own;
        const ready = state.phase === 'serving' && state.generation === spec?.generation && isOwn;
        if (ready && mayDispatch && inFlight < limit)
          expect(waiting, `D4: ${name} has a free slot`).toEqual([]);
      }
      expect(this.bench.dispatcher.load(functionUid(uid))).toEqual({
        uid,
        inFlight: [...this.running.values()].filter((run) => run.ticket.uid === uid).length,
        queued: waiting.length,
      });
    }
  }
}

function nth<V>(map: ReadonlyMap<string, V>, pick: number): V | undefined {
  const values = [...map.values()];
  return values.length === 0 ? undefined : values[pick % values.length];
}

describe('any history', () => {
  it('keeps slots, order and every request', () => {
    let dispatched = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }), (steps) => {
        const world = new World();
        world.apply({ kind: 'generation', uid: 7, hardLimit: 1 });
        world.apply({ kind: 'owner', uid: 7, who: 'self' });
        world.apply({ kind: 'generation', uid: 8, hardLimit: 0 });
        for (const one of steps) world.apply(one);
        dispatched += world.dispatched;
        // Liveness: once exchanges end and time passes, nothing is left.
        world.apply({ kind: 'owner', uid: 7, who: 'self' });
        world.apply({ kind: 'owner', uid: 8, who: 'self' });
        while (world.forwarded.size > 0) world.apply({ kind: 'hop-done', pick: 0 });
        while (world.running.size > 0) world.apply({ kind: 'finish', pick: 0 });
        world.apply({ kind: 'time', ms: 1_000 });
        while (world.running.size > 0) world.apply({ kind: 'finish', pick: 0 });
        expect(world.queued.size).toBe(0);
        expect(world.bench.dispatcher.totals()).toEqual({ inFlight: 0, queued: 0 });
      }),
      { seed: 20_240, numRuns: 700 },
    );
    expect(dispatched).toBeGreaterThan(1_800);
  });

  it('does not take a condemned endpoint back after a withdrawal (seed 60)', () => {
    const world = new World();
    world.apply({ kind: 'generation', uid: 7, hardLimit: 1 });
    world.apply({ kind: 'owner', uid: 7, who: 'self' });
    world.apply({ kind: 'put', uid: 7, sandbox: 0, ahead: 0, own: true });
    world.apply({ kind: 'submit', uid: 7, waitMs: 1 });
    world.apply({ kind: 'condemn', pick: 0 });
    world.apply({ kind: 'withdraw', uid: 7, sandbox: 0 });
    world.apply({ kind: 'put', uid: 7, sandbox: 0, ahead: 0, own: true });
    world.apply({ kind: 'submit', uid: 7, waitMs: 1 });
    expect([...world.queued.keys()]).toEqual(['r1']);
  });

  it('takes back a whole queue from an owner that refuses, in order', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4, maxLength: 4 }), (order) => {
        const bench = new Bench();
        bench.dispatcher.putFunction(record({ hardLimit: 1 }), 0);
        bench.dispatcher.setOwner(functionUid(7), owner('dp-2'), 0);
        const tickets = [0, 1, 2, 3].map((n) => bench.submit(`r${n}`));
        bench.take();
        for (const at of order) {
          const ticket = tickets[at];
          if (ticket !== undefined) bench.dispatcher.forwardRefused(ticket, 0);
        }
        bench.take();
        bench.dispatcher.setOwner(functionUid(7), owner('dp-3'), 1);
        expect(bench.said()).toEqual(['r0→dp-3', 'r1→dp-3', 'r2→dp-3', 'r3→dp-3']);
      }),
      { seed: 7, numRuns: 24 },
    );
  });
});
