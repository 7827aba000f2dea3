/** RES: everything is given back. */
import { describe, expect, it } from 'vitest';
import { usageOf } from '../../../chaos/proc.ts';
import { excess, type Usage } from '../../../chaos/verifiers/resources.ts';

const idle: Usage = { rssMiB: 80, fds: 40, ports: 2, threads: 11, processes: 3 };
const of = (changes: Record<string, Partial<Usage>>): ReadonlyMap<string, Usage> =>
  new Map(['r1', 'w1'].map((id) => [id, { ...idle, ...changes[id] }]));
const before = of({});

describe('what processes hold', () => {
  it('may differ by a few connections and an uncollected heap', () => {
    expect(excess(before, of({ r1: { fds: 50, rssMiB: 120 } }))).toEqual([]);
  });

  it('may be less', () => {
    expect(excess(before, of({ r1: { fds: 20, rssMiB: 60, threads: 8 } }))).toEqual([]);
  });

  it('may have moved from one process to another where it is a process itself', () => {
    expect(excess(before, of({ r1: { processes: 2 }, w1: { processes: 4 } }))).toEqual([]);
  });

  it.each<[Partial<Usage>, string]>([
    [{ fds: 400 }, 'r1 has 400 fds, 40 before'],
    [{ rssMiB: 400 }, 'r1 has 400 rssMiB, 80 before'],
    [{ threads: 40 }, 'r1 has 40 threads, 11 before'],
    [{ ports: 3 }, 'r1 listens on 3 ports, 2 before'],
    [{ ports: 1 }, 'r1 listens on 1 ports, 2 before'],
    [{ processes: 4 }, '7 processes, 6 before'],
    [{ processes: 2 }, '5 processes, 6 before'],
  ])('%j is seen', (change, told) => {
    expect(excess(before, of({ r1: change }))).toEqual([told]);
  });

  it('must be held by the same processes', () => {
    const [[, usage] = ['', idle]] = before;
    expect(excess(before, new Map([['r1', usage]]))).toContain('w1 is not there');
    expect(excess(new Map([['r1', usage]]), before)).toContain('w1 was not there before');
  });
});

describe('a process', () => {
  it('is measured by what the system says of it', () => {
    const usage = usageOf(process.pid);
    expect(usage?.rssMiB).toBeGreaterThan(10);
    expect(usage?.fds).toBeGreaterThan(2);
    expect(usage?.threads).toBeGreaterThan(0);
    expect(usage?.processes).toBeGreaterThan(0);
  });

  it('that is gone holds nothing', () => {
    expect(usageOf(2 ** 22 + 1)).toBeUndefined();
  });
});
