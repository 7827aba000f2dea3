import { describe, expect, it } from 'vitest';
import { explainNoRoom, type Candidate } from '../../../src/core/placement/filter.ts';
import {
  balancedAllocation,
  leastAllocated,
  mostAllocated,
  Placer,
  SCORED,
} from '../../../src/core/placement/placement.ts';
import { prng } from '../../../src/lib/prng.ts';
import { fleet, request, take, worker, type Worker } from './fixtures.ts';

describe("the scores are kube-scheduler's", () => {
  // Computed by hand from its formulas; kube cuts to whole numbers at the end (and each resource's share before).
  it.each([
    // capacity       allocated      request        least  most   balanced
    ['4000/10000', '0/0', '3000/5000', 37.5, 62.5, 87.5],
    ['6000/10000', '0/0', '3000/5000', 50, 50, 100],
    ['10000/20000', '6000/5000', '0/0', 57.5, 42.5, 82.5],
    ['10000/20000', '3000/5000', '3000/5000', 45, 55, 95],
    ['4000/8000', '1000/3000', '500/1000', 56.25, 43.75, 93.75],
    ['1000/1000', '900/0', '100/0', 50, 50, 50],
    ['1000/1000', '900/900', '100/100', 0, 100, 100],
  ])('of %s with %s used, for %s', (capacity, allocated, wanted, least, most, balanced) => {
    const parse = (text: string): { cpuMillis: number; memoryMiB: number } => {
      const [cpuMillis = 0, memoryMiB = 0] = text.split('/').map(Number);
      return { cpuMillis, memoryMiB };
    };
    const candidate: Candidate = worker(1, {
      capacity: { ...parse(capacity), sandboxes: 10 },
      allocated: { ...parse(allocated), sandboxes: 1 },
    });
    expect(leastAllocated(candidate, parse(wanted))).toBeCloseTo(least, 9);
    expect(mostAllocated(candidate, parse(wanted))).toBeCloseTo(most, 9);
    expect(balancedAllocation(candidate, parse(wanted))).toBeCloseTo(balanced, 9);
  });

  it('a worker that has none of a resource counts as full of it', () => {
    const none = worker(1, { capacity: { cpuMillis: 0, memoryMiB: 1_000, sandboxes: 1 } });
    expect(leastAllocated(none, { cpuMillis: 0, memoryMiB: 0 })).toBe(50);
  });
});

describe('a choice', () => {
  const placer = (): Placer => new Placer(prng(1));

  it('of least-allocated takes the emptiest worker, and of two the one that stays balanced', () => {
    const workers = [
      worker(0, { allocated: { cpuMillis: 400, memoryMiB: 400, sandboxes: 1 } }),
      worker(1, { allocated: { cpuMillis: 600, memoryMiB: 0, sandboxes: 1 } }),
      worker(2, { allocated: { cpuMillis: 300, memoryMiB: 300, sandboxes: 1 } }),
    ];
    expect(placer().place(workers, request(), { next: 0 })?.id).toBe(2);
    expect(placer().place(workers.slice(0, 2), request(), { next: 0 })?.id).toBe(0);
  });

  it('of bin-packing takes the fullest worker that still has room', () => {
    const workers = [
      worker(0, { allocated: { cpuMillis: 400, memoryMiB: 400, sandboxes: 1 } }),
      worker(1, { allocated: { cpuMillis: 950, memoryMiB: 950, sandboxes: 1 } }),
      worker(2, { allocated: { cpuMillis: 900, memoryMiB: 900, sandboxes: 1 } }),
    ];
    expect(placer().place(workers, request({ strategy: 'bin-packing' }), { next: 0 })?.id).toBe(2);
  });

  it('of round-robin goes on where the function was, and round', () => {
    const workers = fleet(3);
    const turn = { next: 1 };
    const ids = Array.from(
      { length: 4 },
      () => placer().place(workers, request({ strategy: 'round-robin' }), turn)?.id,
    );
    expect(ids).toEqual([1, 2, 0, 1]);
  });

  it('of round-robin goes on behind the worker that it took, not behind those that it passed', () => {
    const workers = fleet(4);
    for (const id of [1, 2]) (workers[id] as Worker).availability = 'cordoned';
    const turn = { next: 0 };
    const next = (): number | undefined =>
      placer().place(workers, request({ strategy: 'round-robin' }), turn)?.id;
    expect([next(), next(), next(), next()]).toEqual([0, 3, 0, 3]);
  });

  it('of artifact-locality takes the emptiest worker that has the artifact, and any other when none of them has room', () => {
    const workers = [
      worker(0),
      worker(1, { allocated: { cpuMillis: 600, memoryMiB: 600, sandboxes: 1 } }),
      worker(2, { allocated: { cpuMillis: 800, memoryMiB: 800, sandboxes: 1 } }),
    ];
    const near = request({ strategy: 'artifact-locality' });
    const [, one, two] = workers as [Worker, Worker, Worker];
    const choose = (): number | undefined => placer().place(workers, near, { next: 0 }, [two, one])?.id;
    expect(choose()).toBe(1);
    one.availability = 'cordoned';
    expect(choose()).toBe(2);
    two.allocated.cpuMillis = 1_000;
    expect(choose(), 'capacity comes first').toBe(0);
  });

  it('of random is even over the workers that it fits', () => {
    const workers = fleet(10);
    for (const full of [0, 4, 5]) Object.assign(workers[full] as Worker, { availability: 'cordoned' });
    const one = placer();
    const counts = new Map<number, number>();
    for (let n = 0; n < 7_000; n++) {
      const id = one.place(workers, request({ strategy: 'random' }), { next: 0 })?.id ?? -1;
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    expect([...counts.keys()].sort((a, b) => a - b)).toEqual([1, 2, 3, 6, 7, 8, 9]);
    for (const count of counts.values()) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });

  it('of random finds the one worker of thousands that it fits', () => {
    const workers = fleet(5_000, { availability: 'cordoned' });
    (workers[4_321] as Worker).availability = 'available';
    expect(placer().place(workers, request({ strategy: 'random' }), { next: 0 })?.id).toBe(4_321);
  });

  it('looks at a bounded number of workers that fit, the next choice at the next ones (P4)', () => {
    const looked = new Set<number>();
    const workers = fleet(5_000).map((plain): Worker =>
      Object.defineProperty(plain, 'availability', {
        get: () => {
          looked.add(plain.id);
          return 'available';
        },
      }),
    );
    const one = placer();
    for (let n = 1; n <= 50; n++) {
      const chosen = one.place(workers, request(), { next: 0 });
      if (chosen !== undefined) take(chosen, request());
      expect(looked.size).toBe(n * SCORED);
    }
  });

  it('of nothing is nothing', () => {
    for (const strategy of ['least-allocated', 'bin-packing', 'round-robin', 'random'] as const)
      expect(placer().place([], request({ strategy }), { next: 0 })).toBeUndefined();
  });
});

describe('when nothing fits, the causes are counted', () => {
  it('of several resources each, of the rest the first', () => {
    const workers = [
      worker(0, { availability: 'cordoned' }),
      worker(1, { allocated: { cpuMillis: 0, memoryMiB: 950, sandboxes: 1 } }),
      worker(2, { allocated: { cpuMillis: 950, memoryMiB: 950, sandboxes: 1 } }),
    ];
    expect(explainNoRoom(workers, request())).toBe('0 of 3 workers: 1 cordoned, 1 lacks CPU, 2 lack memory');
  });

  it('in all kinds', () => {
    const workers = [
      worker(0, { availability: 'unreachable' }),
      worker(1, { availability: 'unreachable' }),
      worker(2),
      worker(3, {
        labels: [{ name: 'disk', value: 'ssd' }],
        allocated: { cpuMillis: 0, memoryMiB: 0, sandboxes: 100 },
      }),
    ];
    expect(explainNoRoom(workers, request({ selector: [{ name: 'disk', value: 'ssd' }] }))).toBe(
      '0 of 4 workers: 2 do not report, 1 does not match the selector, 1 has no slot left',
    );
  });

  it('of no worker there are none', () => {
    expect(explainNoRoom([], request())).toBe('0 of 0 workers');
  });
});
