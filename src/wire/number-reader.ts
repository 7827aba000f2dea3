/**
 * Reads 64-bit fields as the numbers that they become. The library's reader makes a BigInt of each, and the generated code prints and
 * parses that: for a fleet's inventories a tenth of all work. What no number holds exactly the generated code refuses, as before.
 */
import { BinaryReader } from '@bufbuild/protobuf/wire';

/** Of a varint: 64 bits in groups of seven. */
const MOST_BYTES = 10;

export class NumberReader extends BinaryReader {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    super(bytes);
    this.#bytes = bytes;
  }

  /** A number, whatever the declaration says: the generated code takes whatever prints as one. @throws RangeError */
  override uint64(): string {
    let value = 0;
    let weight = 1;
    for (let n = 0; n < MOST_BYTES; n++) {
      const byte = this.#bytes[this.pos++];
      if (byte === undefined) throw new RangeError('premature EOF');
      value += (byte & 0x7f) * weight;
      if (byte < 0x80) return value as unknown as string;
      weight *= 128;
    }
    throw new RangeError('invalid varint');
  }
}
