/** A worker that starts and ends sandboxes, and a leader's view of it behind a bus that loses, repeats and reorders. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WorkerView } from '../../../src/core/fleet/worker-view.ts';
import type { Incarnation } from '../../../src/core/model/fence.ts';
import type { SandboxState, SandboxStatus } from '../../../src/core/model/sandbox.ts';
import type { FunctionCounts, WorkerHeartbeat, WorkerReport } from '../../../src/core/model/worker-report.ts';
import { HeldArtifacts } from '../../../src/core/worker/held-artifacts.ts';
import { sandboxId, workerId, type Digest } from '../../../src/lib/ids.ts';
import { heartbeat, inventory, status } from '../../unit/fleet/fixtures.ts';

const NEXT: Readonly<Record<SandboxState, SandboxState>> = {
  starting: 'ready',
  ready: 'draining',
  draining: 'gone',
  gone: 'gone',
};

/** The truth, with everything that it ever was. */
class Truth {
  life: Incarnation = { ms: 1, nonce: 1 };
  version = 0;
  sent = 0;
  seq = 0;
  cordoned = false;
  started = 0;
  readonly alive = new Map<string, SandboxStatus>();
  /** Of this life, in the order of versions. */
  history: SandboxStatus[] = [];
  artifacts = new HeldArtifacts([]);

  change(id: string, state: SandboxState): void {
    const now = status(id, ++this.version, state);
    if (state === 'gone') this.alive.delete(id);
    else this.alive.set(id, now);
    this.history.push(now);
  }

  artifact(digest: Digest, isHeld: boolean): void {
    if (isHeld ? this.artifacts.use(digest) : this.artifacts.drop(digest)) this.version++;
  }

  heartbeat(): WorkerReport {
    const { added: artifactsAdded, removed: artifactsRemoved } = this.artifacts.takeChanges();
    const changes = new Map(
      this.history.filter(({ version }) => version > this.sent).map((one) => [one.id, one]),
    );
    return this.#heartbeat(this.sent, [...changes.values()], { artifactsAdded, artifactsRemoved });
  }

  /** Claims nothing about single sandboxes. */
  hello(): WorkerReport {
    const counts = new Map<number, FunctionCounts>();
    for (const { uid, generation, state } of this.alive.values()) {
      const count = counts.get(uid) ?? { uid, generation, starting: 0, ready: 0 };
      if (state === 'starting' || state === 'ready') counts.set(uid, { ...count, [state]: count[state] + 1 });
    }
    this.artifacts.takeChanges();
    return {
      kind: 'hello',
      heartbeat: this.#heartbeat(this.version, []),
      counts: [...counts.values()],
      artifacts: this.artifacts.list,
    };
  }

  #heartbeat(
    since: number,
    changes: readonly SandboxStatus[],
    artifacts: Partial<Pick<WorkerHeartbeat, 'artifactsAdded' | 'artifactsRemoved'>> = {},
  ): WorkerHeartbeat {
    const { life, cordoned } = this;
    this.sent = this.version;
    return heartbeat(since, this.version, changes, {
      incarnation: life,
      cordoned,
      seq: ++this.seq,
      ...artifacts,
    });
  }

  /** The same truth is always cut the same way. */
  inventory(): WorkerReport[] {
    const parts = 1 + (this.version % 3);
    const all = [...this.alive.values()];
    const per = Math.ceil(all.length / parts);
    return Array.from({ length: parts }, (_, part) =>
      inventory(this.version, all.slice(part * per, (part + 1) * per), {
        incarnation: this.life,
        part,
        parts,
        artifacts: part === 0 ? this.artifacts.list : [],
      }),
    );
  }

  restart(): void {
    this.life = { ms: this.life.ms + 1, nonce: this.life.nonce * 7 };
    this.version = 0;
    this.sent = 0;
    this.seq = 0;
    this.alive.clear();
    this.history = [];
    this.artifacts = new HeldArtifacts([]);
  }

  /** As it was when the counter stood at `version`. */
  asOf(version: number): Map<string, SandboxStatus> {
    const then = new Map<string, SandboxStatus>();
    for (const one of this.history) if (one.version <= version) then.set(one.id, one);
    return then;
  }
}

type Step =
  | { readonly do: 'start' }
  | { readonly do: 'go-on'; readonly pick: number }
  | { readonly do: 'end'; readonly pick: number }
  | { readonly do: 'unpack' | 'forget'; readonly artifact: Digest }
  | { readonly do: 'heartbeat' | 'hello'; readonly lost: boolean }
  | { readonly do: 'cordon' | 'inventory' }
  | { readonly do: 'deliver'; readonly pick: number }
  | { readonly do: 'restart' };

const of = <T extends string>(kind: T): fc.Arbitrary<T> => fc.constant(kind);
const pick = fc.nat(100);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: of('start') }) },
  { weight: 8, arbitrary: fc.record({ do: of('go-on'), pick }) },
  { weight: 2, arbitrary: fc.record({ do: of('end'), pick }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('unpack' as const, 'forget' as const),
      artifact: fc.constantFrom(...(['a', 'b', 'c'] as unknown as readonly Digest[])),
    }),
  },
  { weight: 8, arbitrary: fc.record({ do: of('heartbeat'), lost: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: of('hello'), lost: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: of('cordon') }) },
  { weight: 3, arbitrary: fc.record({ do: of('inventory') }) },
  { weight: 10, arbitrary: fc.record({ do: of('deliver'), pick }) },
  { weight: 1, arbitrary: fc.record({ do: of('restart') }) },
);

class World {
  readonly truth = new Truth();
  readonly view = new WorkerView(workerId('w-1'));
  /** Everything ever sent: it may come at any time, and again. */
  readonly sent: WorkerReport[] = [];
  /** What the changes alone say. */
  readonly mirror = new Map<string, SandboxStatus>();
  /** What was said last, of what has come. */
  latest: WorkerHeartbeat | undefined;
  /** Seen gone in this life of the worker. */
  readonly buried = new Set<string>();

  apply(s: Step): void {
    const { truth } = this;
    switch (s.do) {
      case 'start':
        return truth.change(`s-${truth.life.ms}-${++truth.started}`, 'starting');
      case 'go-on':
      case 'end': {
        const alive = [...truth.alive.values()];
        const one = alive[s.pick % Math.max(1, alive.length)];
        if (one !== undefined) truth.change(one.id, s.do === 'end' ? 'gone' : NEXT[one.state]);
        return;
      }
      case 'unpack':
      case 'forget':
        return truth.artifact(s.artifact, s.do === 'unpack');
      case 'cordon':
        truth.cordoned = !truth.cordoned;
        return;
      case 'heartbeat':
      case 'hello': {
        const report = s.do === 'hello' ? truth.hello() : truth.heartbeat();
        if (!s.lost) this.sent.push(report);
        return;
      }
      case 'inventory':
        this.sent.push(...truth.inventory());
        return;
      case 'deliver': {
        const report = this.sent[s.pick % Math.max(1, this.sent.length)];
        if (report !== undefined) this.merge(report);
        return;
      }
      case 'restart':
        truth.restart();
    }
  }

  merge(report: WorkerReport): boolean {
    const known = this.view.incarnation;
    const before = new Map(this.view.sandboxes);
    const result = this.view.merge(report);
    const life = report.kind === 'hello' ? report.heartbeat.incarnation : report.incarnation;
    expect(result.refused, 'older lives are refused, and nothing else').toBe(
      life.ms < known.ms ? 'older' : undefined,
    );
    if (life.ms > known.ms) this.buried.clear();
    this.#note(report, life.ms >= known.ms);
    for (const { before: was, after } of result.changes) {
      const id = (after ?? was)?.id ?? '';
      expect(was, 'a change begins with what was known').toEqual(this.mirror.get(id));
      expect(this.buried.has(id) && after !== undefined && after.state !== 'gone', `${id} came back`).toBe(
        false,
      );
      if (after === undefined || after.state === 'gone') {
        this.mirror.delete(id);
        this.buried.add(id);
      } else this.mirror.set(id, after);
    }
    for (const [id, now] of this.view.sandboxes) {
      const was = before.get(id);
      expect(now.version, `${id} never goes back`).toBeGreaterThanOrEqual(
        life.ms > known.ms ? 0 : (was?.version ?? 0),
      );
    }
    return result.needInventory;
  }

  #note(report: WorkerReport, isHeard: boolean): void {
    const said = report.kind === 'hello' ? report.heartbeat : report;
    if (!isHeard || said.kind !== 'heartbeat') return;
    const { latest } = this;
    const isLater =
      latest === undefined ||
      said.incarnation.ms > latest.incarnation.ms ||
      (said.incarnation.ms === latest.incarnation.ms && said.seq > latest.seq);
    if (isLater) this.latest = said;
  }

  check(): void {
    expect(this.view.cordoned, 'a late heartbeat takes nothing back').toBe(this.latest?.cordoned ?? false);
    expect(new Map(this.view.sandboxes), 'the changes say it all').toEqual(this.mirror);
    if (this.view.incarnation.ms !== this.truth.life.ms) return;
    const history = new Set(this.truth.history.map((one) => JSON.stringify(one)));
    for (const one of this.view.sandboxes.values()) {
      expect(history.has(JSON.stringify(one)), 'nothing is known but what the worker said').toBe(true);
    }
    // "Every change up to this one is in this view."
    for (const [id, then] of this.truth.asOf(this.view.version)) {
      const now = this.view.sandboxes.get(sandboxId(id));
      if (then.state === 'gone') expect(now, `${id} is gone since ${then.version}`).toBeUndefined();
      else if (!this.buried.has(id)) expect(now?.version ?? -1).toBeGreaterThanOrEqual(then.version);
    }
  }

  quiesce(): void {
    if (this.merge(this.truth.heartbeat())) for (const part of this.truth.inventory()) this.merge(part);
    this.check();
    expect(this.merge(this.truth.heartbeat()), 'the inventory is here').toBe(false);
    expect(new Map(this.view.sandboxes), 'R1').toEqual(this.truth.alive);
    expect(this.view.version).toBe(this.truth.version);
    expect([...this.view.artifacts].sort()).toEqual([...this.truth.artifacts.list].sort());
  }
}

describe('any history of a worker', () => {
  it('ends in the worker’s own truth, with nothing unsaid on the way and nothing undone', () => {
    let changes = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 80, size: 'max' }), (steps) => {
        const world = new World();
        for (const s of steps) {
          world.apply(s);
          world.check();
        }
        world.quiesce();
        changes += world.truth.history.length;
      }),
      { seed: 71, numRuns: 150 },
    );
    expect(changes).toBeGreaterThan(1_000);
  });
});
