/** A process that begins after the clock was set back is an earlier life to whoever remembers the one before. */
import { describe, expect, it } from 'vitest';
import { Life } from '../../../src/data-plane/life.ts';
import { NO_INCARNATION } from '../../../src/core/model/fence.ts';
import { dataPlaneId } from '../../../src/lib/ids.ts';

const born = (): Life => new Life(dataPlaneId('dp1'), 1_000, 7);

describe('a life of a data plane', () => {
  it('is heard where the leader names it', () => {
    const life = born();
    expect([life.told(NO_INCARNATION), life.isHeard]).toEqual(['unheard', false]);
    expect([life.told({ ms: 999, nonce: 3 }), life.isHeard]).toEqual(['unheard', false]);
    expect([life.told({ ms: 1_000, nonce: 7 }), life.isHeard]).toEqual(['heard', true]);
  });

  it.each([
    ['a later one is remembered', { ms: 5_000, nonce: 3 }],
    ['one of the same millisecond is remembered', { ms: 1_000, nonce: 3 }],
  ])('takes a later place than every other where %s', (_why, remembered) => {
    const life = born();
    expect(life.told(remembered)).toBe('raised');
    expect(life.incarnation).toEqual({ ms: remembered.ms + 1, nonce: 7 });
    expect(life.told(life.incarnation)).toBe('heard');
  });

  it('does not fight another process for the id once it was heard', () => {
    const life = born();
    life.told({ ms: 1_000, nonce: 7 });
    expect(life.told({ ms: 1_001, nonce: 3 })).toBe('rival');
    expect(life.incarnation).toEqual({ ms: 1_000, nonce: 7 });
  });

  it('counts as heard with a leader of before, which does not tell', () => {
    expect(born().told(undefined)).toBe('heard');
  });
});
