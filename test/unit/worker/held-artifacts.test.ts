import { describe, expect, it } from 'vitest';
import { HeldArtifacts } from '../../../src/core/worker/held-artifacts.ts';
import type { Digest } from '../../../src/lib/ids.ts';
import { limits } from '../../../src/lib/limits.ts';

const named = (name: string | number): Digest => String(name) as Digest;
const [a, b] = [named('a'), named('b')];

describe('artifacts that a worker holds', () => {
  it('are news once, and again after they were gone', () => {
    const held = new HeldArtifacts([a]);
    expect([held.use(a), held.use(b), held.use(b)]).toEqual([false, true, false]);
    expect(held.takeChanges()).toEqual({ added: [b], removed: [] });
    expect(held.takeChanges()).toEqual({ added: [], removed: [] });
    expect([held.drop(a), held.drop(a)]).toEqual([true, false]);
    expect(held.use(a)).toBe(true);
    expect(held.takeChanges(), 'what it came to, not what it went through').toEqual({
      added: [a],
      removed: [],
    });
  });

  it('are reported as far as the bound goes: those used last', () => {
    const many = Array.from({ length: limits.artifactsPerWorker + 10 }, (_, i) => named(i));
    const held = new HeldArtifacts(many);
    expect(held.list).toEqual(many.slice(10));
    held.use(named(10));
    held.use(a);
    expect(held.takeChanges()).toEqual({ added: [a], removed: [named(11)] });
    expect(held.list).toHaveLength(limits.artifactsPerWorker);
    expect(held.list.slice(-2)).toEqual([named(10), a]);
  });
});
