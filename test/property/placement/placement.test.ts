import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PLACEMENT_STRATEGIES } from '../../../src/core/model/function.ts';
import type { PlacementRequest } from '../../../src/core/placement/filter.ts';
import { Placer } from '../../../src/core/placement/placement.ts';
import { prng } from '../../../src/lib/prng.ts';
import { fleet, request, take, worker, type Worker } from '../../unit/placement/fixtures.ts';

const label = fc.record({
  name: fc.constantFrom('disk', 'zone'),
  value: fc.constantFrom('a', 'b'),
});
const anyRequest: fc.Arbitrary<PlacementRequest> = fc.record({
  resources: fc.record({
    cpuMillis: fc.integer({ min: 0, max: 900 }),
    memoryMiB: fc.integer({ min: 1, max: 900 }),
  }),
  selector: fc.array(label, { maxLength: 1 }),
  strategy: fc.constantFrom(...PLACEMENT_STRATEGIES),
});
const anyWorker = fc.record({
  cpuMillis: fc.integer({ min: 0, max: 2_000 }),
  memoryMiB: fc.integer({ min: 0, max: 2_000 }),
  sandboxes: fc.integer({ min: 1, max: 6 }),
  labels: fc.uniqueArray(label, { maxLength: 2, selector: ({ name }) => name }),
});
type Drawn = typeof anyWorker extends fc.Arbitrary<infer T> ? T : never;
type Step =
  | { readonly kind: 'place'; readonly request: PlacementRequest }
  | { readonly kind: 'remove'; readonly which: number }
  | { readonly kind: 'join'; readonly worker: { cpuMillis: number; memoryMiB: number; sandboxes: number } }
  | { readonly kind: Worker['availability']; readonly which: number };
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('place' as const), request: anyRequest }) },
  fc.record({ kind: fc.constant('remove' as const), which: fc.nat() }),
  fc.record({ kind: fc.constant('join' as const), worker: anyWorker }),
  fc.record({
    kind: fc.constantFrom('available' as const, 'cordoned' as const, 'unreachable' as const),
    which: fc.nat(),
  }),
);

function join(workers: Worker[], drawn: Drawn): void {
  const { labels, ...capacity } = drawn;
  workers.push(worker(workers.length, { capacity, labels: labels ?? [] }));
}

/** What the rule says in words, not the filter's code. */
function mayHold(one: Worker, { resources, selector }: PlacementRequest): boolean {
  const labels = new Map(one.labels.map(({ name, value }) => [name, value]));
  return (
    one.availability === 'available' &&
    selector.every(({ name, value }) => labels.get(name) === value) &&
    one.capacity.sandboxes - one.allocated.sandboxes >= 1 &&
    one.capacity.cpuMillis - one.allocated.cpuMillis >= resources.cpuMillis &&
    one.capacity.memoryMiB - one.allocated.memoryMiB >= resources.memoryMiB
  );
}

/** @returns where each placement went */
function play(first: readonly Drawn[], steps: readonly Step[]): number[] {
  const placer = new Placer(prng(7));
  const turn = placer.newTurn();
  const workers: Worker[] = [];
  for (const drawn of first) join(workers, drawn);
  const held: { readonly on: Worker; readonly request: PlacementRequest }[] = [];
  const places: number[] = [];
  for (const one of steps) {
    if (one.kind === 'place') {
      const able = workers.filter((candidate) => mayHold(candidate, one.request));
      const chosen = placer.place(workers, one.request, turn);
      if ((chosen === undefined) !== (able.length === 0))
        throw new Error(`${able.length} could take it, and it went to ${chosen?.id ?? 'nobody'}`);
      places.push(chosen?.id ?? -1);
      if (chosen === undefined) continue;
      if (!able.includes(chosen)) throw new Error(`worker ${chosen.id} may not have it`);
      take(chosen, one.request);
      held.push({ on: chosen, request: one.request });
    } else if (one.kind === 'remove') {
      const [gone] = held.splice(one.which % Math.max(1, held.length), 1);
      if (gone !== undefined) take(gone.on, gone.request, -1);
    } else if (one.kind === 'join') {
      join(workers, { labels: [], ...one.worker });
    } else {
      const target = workers[one.which % Math.max(1, workers.length)];
      if (target !== undefined) target.availability = one.kind;
    }
  }
  return places;
}

describe('for any sequence of placements, removals, cordons, deaths and joins', () => {
  const history = [
    fc.array(anyWorker, { maxLength: 6 }),
    fc.array(step, { minLength: 1, maxLength: 60 }),
  ] as const;

  it('nothing is over capacity, cordon and selector hold, and what fits somewhere is placed; the same again', () => {
    fc.assert(
      fc.property(...history, (first, steps) => {
        expect(play(first, steps)).toEqual(play(first, steps));
      }),
      { numRuns: 300, seed: 1 },
    );
  });
});

describe('on equal workers', () => {
  const shape = [fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 200 })] as const;

  function counts(size: number, placements: number, strategy: PlacementRequest['strategy']): number[] {
    const workers = fleet(size, { capacity: { cpuMillis: 1e6, memoryMiB: 1e6, sandboxes: 1_000 } });
    const placer = new Placer(prng(size));
    const turn = placer.newTurn();
    for (let n = 0; n < placements; n++) {
      const chosen = placer.place(workers, request({ strategy }), turn);
      if (chosen !== undefined) take(chosen, request());
    }
    return workers.map(({ allocated }) => allocated.sandboxes);
  }

  it.each(['round-robin', 'least-allocated'] as const)(
    '%s gives nobody two more than another',
    (strategy) => {
      fc.assert(
        fc.property(...shape, (size, placements) => {
          const each = counts(size, placements, strategy);
          expect(each.reduce((sum, count) => sum + count, 0)).toBe(placements);
          expect(Math.max(...each) - Math.min(...each)).toBeLessThanOrEqual(1);
        }),
        { numRuns: 100, seed: 2 },
      );
    },
  );

  it('bin-packing opens a worker when those before it are full', () => {
    fc.assert(
      fc.property(...shape, (size, placements) => {
        const workers = fleet(size);
        const placer = new Placer(prng(1));
        for (let n = 0; n < placements; n++) {
          const chosen = placer.place(workers, request({ strategy: 'bin-packing' }), { next: n });
          if (chosen !== undefined) take(chosen, request());
        }
        // Ten fit a worker.
        const placed = Math.min(placements, 10 * size);
        const used = workers.filter(({ allocated }) => allocated.sandboxes > 0);
        expect(used.length).toBe(Math.ceil(placed / 10));
        expect(workers.reduce((sum, { allocated }) => sum + allocated.sandboxes, 0)).toBe(placed);
      }),
      { numRuns: 100, seed: 3 },
    );
  });

  it('least-allocated spreads over a fleet of which it scores a part', () => {
    const each = counts(1_000, 1_000, 'least-allocated');
    expect(each.every((count) => count === 1)).toBe(true);
  });
});
