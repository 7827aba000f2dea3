/** Placement as users write it. */
import { describe, expect, it } from 'vitest';
import { parseFunctionDocument, toFunctionDocument } from '../../../src/api/spec.ts';
import { limits } from '../../../src/lib/limits.ts';

const document = { name: 'hello', artifact: 'a'.repeat(64), entry: 'index.mjs' };

describe('where a function is placed', () => {
  it('is left to the cluster when nothing is said', () => {
    expect(parseFunctionDocument(document)).toMatchObject({ placement: 'default', selector: [] });
  });

  it('goes through a specification and back, the selector sorted', () => {
    const chosen = {
      ...document,
      placement: 'bin-packing',
      selector: { zone: 'a', 'example.com/disk': 'ssd' },
    };
    const spec = parseFunctionDocument(chosen);
    expect(spec.selector.map(({ name }) => name)).toEqual(['example.com/disk', 'zone']);
    expect(toFunctionDocument(spec)).toMatchObject(chosen);
    expect(parseFunctionDocument(toFunctionDocument(spec))).toEqual(spec);
  });

  const many = Object.fromEntries(Array.from({ length: limits.labels + 1 }, (_, i) => [`k${i}`, '']));
  it.each([
    [{ placement: 'tetris' }, 'placement: '],
    [{ selector: { '-disk': 'ssd' } }, 'selector.-disk: '],
    [{ selector: { disk: 'a b' } }, 'selector.disk: use up to 63'],
    [{ selector: many }, `selector: more than ${limits.labels} labels`],
    [{ labels: { disk: 'ssd' } }, 'labels: no such key'],
  ])('refuses %j', (keys, message) => {
    expect(() => parseFunctionDocument({ ...document, ...keys })).toThrow(message);
  });
});
