/** What is larger than a message travels in chunks bound to one index or seq, and is put together again or not at all. */
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../../src/lib/limits.ts';
import { Assembler, chunkAt, chunkCount } from '../../../src/wire/chunks.ts';

const whole = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 255);
const chunksOf = (bytes: Uint8Array): Uint8Array[] =>
  Array.from({ length: chunkCount(bytes) }, (_, chunk) => chunkAt(bytes, chunk));

describe('cutting', () => {
  it.each([
    [0, [0]],
    [1, [1]],
    [limits.chunkBytes, [limits.chunkBytes]],
    [limits.chunkBytes + 1, [limits.chunkBytes, 1]],
    [2 * limits.chunkBytes, [limits.chunkBytes, limits.chunkBytes]],
  ])('%i bytes travel as chunks of %j', (length, sizes) => {
    const bytes = whole(length);
    const chunks = chunksOf(bytes);
    expect(chunks.map((chunk) => chunk.length)).toEqual(sizes);
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
  });

  it('ends with nothing beyond the last chunk', () => {
    expect(chunkAt(whole(10), 1).length).toBe(0);
  });
});

describe('assembling', () => {
  const [a, b, c] = [Uint8Array.of(1, 2), Uint8Array.of(3), Uint8Array.of(4, 5, 6)] as const;
  let assembler: Assembler;
  beforeEach(() => {
    assembler = new Assembler();
  });

  it('asks for one chunk after the other of one bound, and yields the whole with the last', () => {
    expect([assembler.bound, assembler.next]).toEqual([0, 0]);
    expect(assembler.add(9, 0, 3, a)).toBeUndefined();
    expect([assembler.bound, assembler.next]).toEqual([9, 1]);
    expect(assembler.add(9, 1, 3, b)).toBeUndefined();
    expect(assembler.add(9, 2, 3, c)).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 6));
    expect([assembler.bound, assembler.next], 'ready for another').toEqual([0, 0]);
  });

  it('takes a chunk that comes twice once, and one that is not next not at all', () => {
    assembler.add(9, 0, 3, a);
    expect(assembler.add(9, 0, 3, a)).toBeUndefined();
    expect(assembler.add(9, 2, 3, c)).toBeUndefined();
    assembler.add(9, 1, 3, b);
    assembler.add(9, 1, 3, b);
    expect(assembler.add(9, 2, 3, c)).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 6));
  });

  it('never joins chunks of two bounds: the beginning of another one begins again', () => {
    assembler.add(9, 0, 2, a);
    expect(assembler.add(10, 1, 2, b), 'the end of another').toBeUndefined();
    expect(assembler.add(10, 0, 2, c)).toBeUndefined();
    expect(assembler.bound).toBe(10);
    expect(assembler.add(9, 1, 2, b), 'the end of the one before').toBeUndefined();
    expect(assembler.add(10, 1, 2, b)).toEqual(Uint8Array.of(4, 5, 6, 3));
  });

  it('begins again when it is told to', () => {
    assembler.add(9, 0, 2, a);
    assembler.reset();
    expect([assembler.bound, assembler.next]).toEqual([0, 0]);
    expect(assembler.add(9, 1, 2, b)).toBeUndefined();
    expect(assembler.add(9, 0, 1, c)).toEqual(c);
  });

  it('survives any loss, repetition and disorder: what it yields is one of the wholes that were sent', () => {
    const wholes = new Map([
      [1, [a, b, c]],
      [2, [c, a]],
      [3, [b]],
    ]);
    const message = fc.record({ bound: fc.integer({ min: 1, max: 3 }), chunk: fc.nat(2) });
    let yielded = 0;
    fc.assert(
      fc.property(fc.array(message, { maxLength: 40, size: 'max' }), (messages) => {
        const one = new Assembler();
        for (const { bound, chunk } of messages) {
          const chunks = wholes.get(bound) ?? [];
          const bytes = chunks[chunk];
          if (bytes === undefined) continue;
          const result = one.add(bound, chunk, chunks.length, bytes);
          if (result === undefined) continue;
          yielded++;
          expect(Buffer.from(result).equals(Buffer.concat(chunks))).toBe(true);
        }
      }),
      { seed: 11, numRuns: 200 },
    );
    expect(yielded).toBeGreaterThan(300);
  });
});
