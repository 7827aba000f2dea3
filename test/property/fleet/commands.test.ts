/**
 * The numbered commands of leaders that follow one another, to a worker that is restarted now and then: both ends are those of
 * production, and everything that was ever sent may come at any time, and again (R3, R4).
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CommandSession } from '../../../src/core/fleet/command-session.ts';
import type { CommandEnvelope, WorkerCommand } from '../../../src/core/model/command.ts';
import { compareFence, NO_FENCE, orderIncarnation, type Fence } from '../../../src/core/model/fence.ts';
import type { WorkerHeartbeat } from '../../../src/core/model/worker-report.ts';
import type { WorkerEffect } from '../../../src/core/worker/types.ts';
import { WorkerCore } from '../../../src/core/worker/worker-core.ts';
import { sandboxId, type SandboxId } from '../../../src/lib/ids.ts';
import { record } from '../../unit/dispatch/fixtures.ts';

type Step =
  | { readonly do: 'create' | 'elect' | 'restart' | 'bury' }
  | { readonly do: 'kill' | 'deliver' | 'hear' | 'beacon' | 'start' | 'end'; readonly pick: number }
  | { readonly do: 'take' | 'heartbeat'; readonly ms: number; readonly lost: boolean };

const pick = fc.nat(100);
const step: fc.Arbitrary<Step> = fc.oneof(
  ...(
    [
      ['create', 6],
      ['elect', 1],
      ['restart', 1],
      ['bury', 1],
    ] as const
  ).map(([what, weight]) => ({ weight, arbitrary: fc.record({ do: fc.constant(what) }) })),
  ...(
    [
      ['kill', 3],
      ['deliver', 12],
      ['hear', 5],
      ['beacon', 2],
      ['start', 3],
      ['end', 2],
    ] as const
  ).map(([what, weight]) => ({ weight, arbitrary: fc.record({ do: fc.constant(what), pick }) })),
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom('take' as const, 'take' as const, 'heartbeat' as const),
      ms: fc.nat(700),
      lost: fc.boolean(),
    }),
  },
);

interface Term {
  readonly fence: Fence;
  session: CommandSession | undefined;
  /** As this leader gave them to the session that it has now, by number; a create may be given up. */
  given: WorkerCommand[];
}

class World {
  nowMs = 0;
  readonly wire: CommandEnvelope[] = [];
  readonly reports: WorkerHeartbeat[] = [];
  readonly terms: Term[] = [];
  readonly everStarted = new Set<SandboxId>();
  /** What is in the worker's file. */
  stored: Fence = NO_FENCE;
  highest: Fence = NO_FENCE;
  core!: WorkerCore;
  /** Of this life: the numbers that were applied, by fence. */
  applied = new Map<string, number[]>();
  lives = 0;
  created = 0;

  constructor() {
    this.elect();
    this.restart();
  }

  get leader(): Term {
    const last = this.terms.at(-1);
    if (last === undefined) throw new Error('somebody has been elected');
    return last;
  }

  elect(): void {
    this.terms.push({ fence: { epoch: 1, term: this.terms.length + 1 }, session: undefined, given: [] });
  }

  restart(): void {
    this.lives++;
    this.applied = new Map();
    this.core = new WorkerCore(
      {
        incarnation: { ms: this.lives, nonce: this.lives * 7 },
        capacity: { cpuMillis: 4_000, memoryMiB: 8_192, sandboxes: 8 },
        driver: 'model',
        isolation: '',
        heartbeatMs: 1_000,
        trialLifetimeMs: 10_000,
        fence: this.stored,
        cordoned: false,
        draining: false,
        labels: [],
        artifacts: [],
      },
      (statuses) => [statuses],
    );
  }

  apply(s: Step): void {
    switch (s.do) {
      case 'create':
        return this.give({
          kind: 'create',
          sandbox: sandboxId(`s-${++this.created}`),
          ...record(),
          trial: false,
          owner: undefined,
          artifactSources: [],
        });
      case 'kill':
        return this.give({
          kind: 'kill',
          sandbox: sandboxId(`s-${1 + (s.pick % Math.max(1, this.created))}`),
        });
      case 'elect':
        return this.elect();
      case 'restart':
        return this.restart();
      case 'bury':
        return this.leader.session?.giveUpCreates();
      case 'take':
        return this.take(s.ms, s.lost);
      case 'deliver':
        return this.deliver(this.wire[s.pick % Math.max(1, this.wire.length)]);
      case 'heartbeat':
        return this.heartbeat(s.lost);
      case 'hear':
        return this.hear(this.reports[s.pick % Math.max(1, this.reports.length)]);
      case 'beacon': {
        const term = this.terms[s.pick % this.terms.length];
        if (term !== undefined) this.beacon(term);
        return;
      }
      case 'start':
      case 'end': {
        const alive = [...this.core.sandboxes.keys()];
        const one = alive[s.pick % Math.max(1, alive.length)];
        if (one === undefined) return;
        if (s.do === 'end') this.core.onGone(one, 'exited', '');
        else this.core.onStarted(one, { address: `unix:/${one}`, pid: 0, stages: [] });
      }
    }
  }

  give(command: WorkerCommand): void {
    const { session, given } = this.leader;
    if (session === undefined) return;
    given.push(command);
    expect(session.submit(command), 'numbered from 1 in the order of giving').toBe(given.length);
  }

  take(ms: number, lost: boolean): void {
    this.nowMs += ms;
    const out = this.leader.session?.take(this.nowMs) ?? [];
    if (!lost) this.wire.push(...out);
  }

  deliver(envelope: CommandEnvelope | undefined): void {
    if (envelope === undefined) return;
    const { fence, incarnation, seq } = envelope;
    const refusal = this.core.onCommand(envelope, this.nowMs);
    if (refusal === undefined) {
      expect(compareFence(fence, this.highest), 'R4').toBeGreaterThanOrEqual(0);
      expect(incarnation.ms, 'for this life').toBe(this.lives);
      const key = `${fence.epoch}/${fence.term}`;
      const numbers = this.applied.get(key) ?? [];
      this.applied.set(key, [...numbers, seq]);
      expect(seq, 'the next number').toBe(numbers.length + 1);
    } else if (compareFence(fence, this.highest) < 0) expect(refusal).toBe('fenced');
    this.carryOut(this.core.takeEffects());
  }

  beacon({ fence }: Term): void {
    this.core.onBeacon(fence, this.nowMs);
    this.carryOut(this.core.takeEffects());
  }

  heartbeat(lost: boolean): void {
    this.nowMs += 1_000;
    const before = this.reports.length;
    this.core.tick(this.nowMs);
    this.carryOut(this.core.takeEffects());
    if (lost) this.reports.length = before;
  }

  carryOut(effects: readonly WorkerEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'persist') {
        expect(compareFence(effect.fence, this.stored), 'what is stored only rises').toBeGreaterThanOrEqual(
          0,
        );
        this.stored = effect.fence;
      } else if (effect.kind === 'start') {
        expect(this.everStarted.has(effect.create.sandbox), 'R3').toBe(false);
        this.everStarted.add(effect.create.sandbox);
      } else if (effect.kind === 'report' && effect.report.kind !== 'inventory') {
        const { report } = effect;
        this.reports.push(report.kind === 'hello' ? report.heartbeat : report);
      }
    }
    expect(this.core.fence, 'stored before anything is done under it').toEqual(this.stored);
    this.highest = this.stored;
  }

  /** As the leader does: a session for the latest life that it has heard of, acknowledged under its own fence alone. */
  hear(report: WorkerHeartbeat | undefined): void {
    const { leader } = this;
    if (report === undefined) return;
    const order =
      leader.session === undefined
        ? 'newer'
        : orderIncarnation(report.incarnation, leader.session.incarnation);
    if (order === 'older') return;
    if (order === 'newer') {
      leader.session = new CommandSession(leader.fence, report.incarnation);
      leader.given = [];
    }
    if (
      compareFence(report.fence, leader.fence) === 0 &&
      leader.session?.hasSent(report.lastCommand) === true
    )
      leader.session.acknowledge(report.lastCommand);
  }

  quiesce(): void {
    const { leader } = this;
    this.beacon(leader);
    this.heartbeat(false);
    this.hear(this.reports.at(-1));
    for (let round = 0; (leader.session?.waiting ?? 0) > 0 && round < 20; round++) {
      this.take(2_000, false);
      for (const envelope of this.wire.slice()) this.deliver(envelope);
      this.heartbeat(false);
      this.hear(this.reports.at(-1));
    }
    const { epoch, term } = leader.fence;
    const applied = this.applied.get(`${epoch}/${term}`) ?? [];
    expect(applied, 'all of them, once, in order').toEqual(leader.given.map((_, i) => i + 1));
    expect([leader.session?.waiting, leader.session?.nextDueMs]).toEqual([0, Number.POSITIVE_INFINITY]);
  }
}

describe('any loss, repetition and disorder of commands, under any succession of leaders and lives', () => {
  it('applies each once, in order, and none of a leader that was succeeded', () => {
    let started = 0;
    let applied = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 80, size: 'max' }), (steps) => {
        const world = new World();
        // Somebody leads and is heard, most of the time.
        world.beacon(world.leader);
        world.hear(world.reports.at(-1));
        for (const s of steps) world.apply(s);
        world.quiesce();
        started += world.everStarted.size;
        for (const numbers of world.applied.values()) applied += numbers.length;
      }),
      { seed: 72, numRuns: 200 },
    );
    expect([started > 200, applied > 400]).toEqual([true, true]);
  });
});
