/** What can be wrong with bytes from outside, and the helpers with which every codec says so. */
import type { BinaryWriter } from '@bufbuild/protobuf/wire';
import { assert } from '../lib/assert.ts';
import { BatonError } from '../lib/errors.ts';
import { limits } from '../lib/limits.ts';
import { NumberReader } from './number-reader.ts';
import { NumberWriter } from './number-writer.ts';

/** `malformed`: not decodable, or a field out of bounds. `unknown-kind`: well formed, and newer than this build. */
export class WireError extends BatonError {
  readonly problem: 'malformed' | 'unknown-kind';

  constructor(problem: 'malformed' | 'unknown-kind', what: string, cause?: unknown) {
    super(
      'invalid-argument',
      `${what}: ${problem === 'malformed' ? 'malformed message' : 'message of an unknown kind'}`,
      {
        fields: { path: what },
        cause,
      },
    );
    this.problem = problem;
  }
}

interface Encodable<T> {
  encode(message: T, writer: BinaryWriter): BinaryWriter;
}

interface Decodable<T> {
  decode(reader: NumberReader): T;
}

/** One for all: its buffer has grown to what is written here, and what is finished is a copy. */
let writer = new NumberWriter();

/** One for all: nothing is read while something is being read. What is converted may be: the message is whole by then. */
const reader = new NumberReader();

/** Encodes one bus message; over the limit is a programmer's error, because every list is split before it gets here. */
export function pack<T>(type: Encodable<T>, message: T): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = type.encode(message, writer).finish();
  } catch (error) {
    // What it had begun would stand before the next message.
    writer = new NumberWriter();
    throw error;
  }
  assert(bytes.length <= limits.messageBytes, `a message of ${bytes.length} bytes is over the limit`);
  return bytes;
}

/** Decodes and converts; whatever goes wrong is a WireError that names the message. */
export function unpack<W, T>(
  what: string,
  type: Decodable<W>,
  bytes: Uint8Array,
  convert: (wire: W) => T,
): T {
  let wire: W;
  try {
    wire = type.decode(reader.open(bytes));
  } catch (error) {
    throw new WireError('malformed', what, error);
  }
  try {
    return convert(wire);
  } catch (error) {
    if (error instanceof WireError) throw error;
    throw new WireError('malformed', what, error);
  }
}

export function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new WireError('malformed', what);
  return value;
}

/** A message without what a newer sender added to it, which core must neither see nor send on as its own. */
export function fieldsOf<T extends { _unknownFields?: unknown }>(message: T): Omit<T, '_unknownFields'> {
  const { _unknownFields: _, ...fields } = message;
  return fields;
}

/** A oneof without a known case: a newer sender, or nothing at all. */
export function known<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new WireError('unknown-kind', what);
  return value;
}

/** An enumeration of the schema and the strings of core, both ways. */
export function enumeration<T extends string>(
  what: string,
  values: Readonly<Record<T, number>>,
): { to: (value: T) => number; from: (wire: number) => T } {
  const back = new Map<number, T>(
    Object.entries<number>(values).map(([name, number]) => [number, name as T]),
  );
  return { to: (value) => values[value], from: (wire) => known(back.get(wire), what) };
}
