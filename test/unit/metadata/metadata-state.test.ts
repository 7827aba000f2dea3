/** The replicated state machine: functions and the requests that changed them. */
import { beforeEach, describe, expect, it } from 'vitest';
import { canonical } from '../../../src/core/metadata/canonical.ts';
import { MetadataState } from '../../../src/core/metadata/metadata-state.ts';
import { RequestTable } from '../../../src/core/metadata/request-table.ts';
import type { MetadataOutcome } from '../../../src/core/model/metadata.ts';
import { functionName, functionUid } from '../../../src/lib/ids.ts';
import { remove, put, type Mutation } from './commands.ts';

let state: MetadataState;
beforeEach(() => {
  state = new MetadataState({ functions: 3, requestIds: 4 });
});

const apply = (command: Mutation): MetadataOutcome | undefined =>
  state.apply(state.appliedIndex + 1, command).outcome;

const skipTo = (index: number): void => {
  while (state.appliedIndex < index) state.apply(state.appliedIndex + 1, { kind: 'no-op' });
};

describe('a function', () => {
  it('is identified by the index that made it; generations count from 1, and the index of each travels', () => {
    skipTo(6);
    expect(apply(put('a'))).toEqual({ kind: 'put', uid: 7, generation: 1, specIndex: 7 });
    expect(apply(put('a'))).toEqual({ kind: 'put', uid: 7, generation: 2, specIndex: 8 });
    expect(state.get(functionName('a'))).toMatchObject({ uid: 7, generation: 2, specIndex: 8 });
    expect(state.byUid(functionUid(7))).toBe(state.get(functionName('a')));
    expect([state.specIndex, state.appliedIndex, state.size]).toEqual([8, 8, 1]);
  });

  it('whose name is used again is another one', () => {
    apply(put('a'));
    expect(apply(remove('a'))).toEqual({ kind: 'deleted', uid: 1, specIndex: 2 });
    expect(apply(put('a'))).toEqual({ kind: 'put', uid: 3, generation: 1, specIndex: 3 });
    expect(state.byUid(functionUid(1))).toBeUndefined();
  });

  it('says to data planes and scheduler what became of it', () => {
    const { change } = state.apply(1, put('a'));
    expect(change).toMatchObject({ uid: 1, specIndex: 1, record: { generation: 1 } });
    expect(state.apply(2, remove('a')).change).toEqual({ uid: 1, specIndex: 2, record: undefined });
    expect(state.apply(3, remove('a')).change).toBeUndefined();
    expect(state.apply(4, { kind: 'no-op' })).toEqual({ outcome: undefined, change: undefined });
    expect(state.specIndex, 'of the last change, not of the last command').toBe(2);
  });

  it('that is not there cannot be deleted', () => {
    expect(apply(remove('a'))).toEqual({ kind: 'not-found' });
  });

  it('beyond the bound is refused, and one more generation of a known one is not', () => {
    for (const name of ['a', 'b', 'c']) apply(put(name));
    expect(apply(put('d'))).toEqual({ kind: 'too-many-functions' });
    expect(apply(put('c'))).toMatchObject({ kind: 'put', generation: 2 });
    apply(remove('a'));
    expect(apply(put('d'))).toMatchObject({ kind: 'put', generation: 1 });
  });

  it('is listed by name', () => {
    for (const name of ['b', 'c', 'a']) apply(put(name));
    expect(state.list().map(({ spec }) => spec.name)).toEqual(['a', 'b', 'c']);
  });
});

describe('ifGeneration', () => {
  it('0 creates and never replaces', () => {
    expect(apply(put('a', { ifGeneration: 0 }))).toMatchObject({ kind: 'put', generation: 1 });
    expect(apply(put('a', { ifGeneration: 0 }))).toEqual({ kind: 'generation-mismatch', generation: 1 });
  });

  it('N replaces and deletes that one only, and names the one that is there', () => {
    apply(put('a'));
    apply(put('a'));
    expect(apply(put('a', { ifGeneration: 1 }))).toEqual({ kind: 'generation-mismatch', generation: 2 });
    expect(apply(remove('a', { ifGeneration: 3 }))).toEqual({ kind: 'generation-mismatch', generation: 2 });
    expect(apply(put('a', { ifGeneration: 2 }))).toMatchObject({ kind: 'put', generation: 3 });
    expect(apply(remove('a', { ifGeneration: 3 }))).toMatchObject({ kind: 'deleted' });
    expect(apply(remove('a', { ifGeneration: 3 })), 'gone').toEqual({
      kind: 'generation-mismatch',
      generation: 0,
    });
  });
});

describe('a request', () => {
  it('that is sent again hears its first outcome and takes effect once', () => {
    const command = put('a', { request: [0, 'x'] });
    const first = apply(command);
    apply(put('a'));
    const { outcome, change } = state.apply(3, command);
    expect([outcome, change]).toEqual([first, undefined]);
    expect(state.get(functionName('a'))?.generation).toBe(2);
    expect(state.hasDecided({ base: 0, nonce: 'x' })).toBe(true);
  });

  it('that was refused is refused again, even when it would be right by now', () => {
    const command = remove('a', { request: [0, 'x'] });
    expect(apply(command)).toEqual({ kind: 'not-found' });
    apply(put('a'));
    expect(apply(command)).toEqual({ kind: 'not-found' });
    expect(state.size).toBe(1);
  });

  it('under an id that stands for another one is refused, never executed (T3)', () => {
    apply(put('a', { request: [0, 'x'] }));
    expect(apply(put('b', { request: [0, 'x'] }))).toEqual({ kind: 'request-id-reused' });
    expect(apply(remove('a', { request: [0, 'x'] }))).toEqual({ kind: 'request-id-reused' });
    expect(apply(put('a', { request: [0, 'x'], ifGeneration: 1 }))).toEqual({ kind: 'request-id-reused' });
    expect(state.list().map(({ spec }) => spec.name)).toEqual(['a']);
    expect(apply(put('b', { request: [1, 'x'] })), 'another base, another id').toMatchObject({ kind: 'put' });
  });

  it('so old that it may have been forgotten is refused, never executed (T1, T2)', () => {
    for (let n = 1; n <= 6; n++) apply(put('a', { request: [n - 1, `n${n}`] }));
    // Four are remembered: those of indexes 3 to 6.
    expect(apply(put('a', { request: [0, 'n1'] }))).toEqual({ kind: 'request-expired' });
    expect(apply(put('a', { request: [2, 'new'] })), 'never seen, and based where one was forgotten').toEqual(
      {
        kind: 'request-expired',
      },
    );
    expect(apply(put('a', { request: [2, 'n3'] })), 'remembered, whatever its base').toMatchObject({
      specIndex: 3,
    });
    expect(apply(put('a', { request: [3, 'new'] }))).toMatchObject({ kind: 'put', generation: 7 });
    expect(apply(put('a', { request: [2, 'n3'] })), 'forgotten for it').toEqual({ kind: 'request-expired' });
  });

  it('that is refused as expired or reused takes nobody’s place in the table', () => {
    apply(put('a', { request: [0, 'x'] }));
    for (let n = 0; n < 10; n++) apply(put('b', { request: [0, 'x'] }));
    expect(state.snapshot()).toMatchObject({ requests: [{ index: 1 }], evictedIndex: 0 });
  });

  it('based at 0 is welcome until something was forgotten', () => {
    const table = new RequestTable(1);
    expect(table.judge({ base: 0, nonce: 'a' }, 1)).toEqual({ kind: 'new' });
    const outcome: MetadataOutcome = { kind: 'not-found' };
    expect(
      table.remember({ id: { base: 0, nonce: 'a' }, index: 5, fingerprint: 1, outcome }),
    ).toBeUndefined();
    const evicted = table.remember({ id: { base: 0, nonce: 'b' }, index: 6, fingerprint: 1, outcome });
    expect(evicted?.index).toBe(5);
    expect(table.judge({ base: 5, nonce: 'c' }, 1)).toEqual({ kind: 'expired' });
    expect(table.judge({ base: 6, nonce: 'c' }, 1)).toEqual({ kind: 'new' });
  });
});

describe('artifacts', () => {
  it('are named as long as any function names them', () => {
    const [one, two] = ['1'.repeat(64), '2'.repeat(64)];
    apply(put('a', { artifact: one }));
    apply(put('b', { artifact: one }));
    apply(put('a', { artifact: two }));
    expect([...state.artifacts()].sort()).toEqual([one, two]);
    apply(remove('b'));
    expect([...state.artifacts()]).toEqual([two]);
    apply(remove('a'));
    expect(state.artifacts().size).toBe(0);
  });
});

describe('the hash', () => {
  it('tells any two states apart that differ in a function, a request or the last change', () => {
    const hashes = [state.hash()];
    for (const command of [put('a'), put('a'), put('b'), remove('a'), remove('x')]) {
      apply(command);
      hashes.push(state.hash());
    }
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  it('says nothing of no-ops, and is that of its snapshot', () => {
    apply(put('a'));
    const before = state.hash();
    skipTo(9);
    expect(state.hash()).toBe(before);
    const restored = MetadataState.restore(state.snapshot(), { functions: 3, requestIds: 4 });
    expect(restored.hash()).toBe(before);
    expect([restored.appliedIndex, restored.specIndex]).toEqual([9, 1]);
  });
});

describe('order', () => {
  it('of commands is that of their indexes, without a gap', () => {
    state.apply(1, { kind: 'no-op' });
    expect(() => state.apply(1, { kind: 'no-op' })).toThrow('applied in order: 1 after 1');
    expect(() => state.apply(3, put('a'))).toThrow('applied in order: 3 after 1');
  });

  it('of keys is nobody’s business', () => {
    expect(canonical({ b: [1, { d: 'x', c: null }], a: undefined })).toBe('{"b":[1,{"c":null,"d":"x"}]}');
    expect(canonical({ c: 1, b: 2 })).toBe(canonical({ b: 2, c: 1 }));
    expect(canonical([1, 2])).not.toBe(canonical([2, 1]));
    expect(canonical({ a: '1' })).not.toBe(canonical({ a: 1 }));
  });
});
