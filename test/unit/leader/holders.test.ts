import { describe, expect, it } from 'vitest';
import { Holders } from '../../../src/core/leader/holders.ts';
import type { Digest } from '../../../src/lib/ids.ts';

const [a, b] = ['a', 'b'] as unknown as readonly [Digest, Digest];

interface Worker {
  readonly name: string;
  readonly view: { artifacts: ReadonlySet<Digest> };
}
const worker = (name: string, ...artifacts: Digest[]): Worker => ({
  name,
  view: { artifacts: new Set(artifacts) },
});

describe('holders of an artifact', () => {
  it('are found by it, and follow what workers say', () => {
    const holders = new Holders<Worker>();
    const [one, two, three] = [worker('1', a), worker('2', a, b), worker('3', a)];
    for (const each of [one, two, three]) holders.update(each);
    const names = (digest: Digest): string[] =>
      holders
        .of(digest)
        .map(({ name }) => name)
        .sort();
    expect([names(a), names(b)]).toEqual([['1', '2', '3'], ['2']]);
    one.view.artifacts = new Set([b]);
    two.view.artifacts = new Set();
    for (const each of [one, two, three, three]) holders.update(each);
    expect([names(a), names(b)]).toEqual([['3'], ['1']]);
    three.view.artifacts = new Set();
    holders.update(three);
    expect([names(a), names(b)]).toEqual([[], ['1']]);
  });
});
