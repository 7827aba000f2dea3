/** One reader for all messages reads each as the library's own reader would, whatever it has read before. */
import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NumberReader } from '../../../src/wire/number-reader.ts';

type Kind = 'uint64' | 'fixed32' | 'sfixed32' | 'double' | 'float' | 'string' | 'bool';
interface Field {
  readonly kind: Kind;
  readonly value: number | string | boolean;
}

const fields: fc.Arbitrary<readonly Field[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant<Kind>('uint64'), value: fc.maxSafeNat() }),
    fc.record({ kind: fc.constant<Kind>('fixed32'), value: fc.integer({ min: 0, max: 0xffff_ffff }) }),
    fc.record({ kind: fc.constant<Kind>('sfixed32'), value: fc.integer() }),
    fc.record({ kind: fc.constant<Kind>('double'), value: fc.double({ noNaN: true }) }),
    fc.record({ kind: fc.constant<Kind>('float'), value: fc.float({ noNaN: true }) }),
    fc.record({ kind: fc.constant<Kind>('string'), value: fc.string({ maxLength: 80, unit: 'grapheme' }) }),
    fc.record({ kind: fc.constant<Kind>('bool'), value: fc.boolean() }),
  ),
  { maxLength: 12 },
);

/** Not at the beginning of what it lies in: messages come as views of larger buffers. */
function written(message: readonly Field[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const { kind, value } of message) (writer[kind] as (value: unknown) => unknown).call(writer, value);
  const bytes = writer.finish();
  const large = new Uint8Array(bytes.length + 5).fill(0xff);
  large.set(bytes, 3);
  return large.subarray(3, 3 + bytes.length);
}

/** As the generated code does with 64 bits. */
const read = (reader: BinaryReader, { kind }: Field): unknown =>
  kind === 'uint64' ? Number(reader.uint64().toString()) : reader[kind]();

describe('the reader of all messages', () => {
  it('reads one after the other as a reader of its own for each would', () => {
    const reader = new NumberReader();
    fc.assert(
      fc.property(fc.array(fields, { maxLength: 4 }), (messages) => {
        for (const message of messages) {
          const bytes = written(message);
          reader.open(bytes);
          const own = new BinaryReader(bytes);
          for (const field of message) {
            expect(read(reader, field)).toEqual(read(own, field));
            expect(reader.pos).toBe(own.pos);
          }
          expect(reader.pos).toBe(reader.len);
        }
      }),
    );
  });

  it.each(['uint64', 'fixed32', 'sfixed32', 'double', 'float', 'string'] as const)(
    'reads no %s past the end of its message, and the next message as if nothing had been',
    (kind) => {
      const whole = written([{ kind, value: kind === 'string' ? 'to the end' : 300 }]);
      const reader = new NumberReader();
      for (let length = 0; length < whole.length; length++)
        expect(() => read(reader.open(whole.subarray(0, length)), { kind, value: 0 })).toThrow(RangeError);
      expect(read(reader.open(whole), { kind, value: 0 })).toBe(kind === 'string' ? 'to the end' : 300);
    },
  );

  it('refuses 64 bits that never end', () => {
    expect(() => new NumberReader().open(new Uint8Array(11).fill(0x80)).uint64()).toThrow('invalid varint');
  });
});
