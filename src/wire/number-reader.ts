/**
 * Reads 64-bit fields as the numbers that they become. The library's reader makes a BigInt of each, and the generated code prints and
 * parses that: for a fleet's inventories a tenth of all work. What no number holds exactly the generated code refuses, as before.
 */
import { BinaryReader } from '@bufbuild/protobuf/wire';

/** Of a varint: 64 bits in groups of seven. */
const MOST_BYTES = 10;
const NOTHING = new Uint8Array(0);

/** What the generated code asks for its text and makes a number of: it gets the number at once. */
class Printed {
  value = 0;

  toString(): string {
    return this.value as unknown as string;
  }
}

/** What the library's reader keeps to itself. */
interface Inner {
  buf: Uint8Array;
  len: number;
  view: DataView | undefined;
}

/** One reader for many messages, one after the other: to make one costs as much as to read a heartbeat. */
export class NumberReader extends BinaryReader {
  readonly #inner = this as unknown as Inner;
  readonly #printed = new Printed();
  #bytes: Uint8Array = NOTHING;

  constructor() {
    super(NOTHING);
  }

  /** Begins a message; what was read before is forgotten. */
  open(bytes: Uint8Array): this {
    const inner = this.#inner;
    this.#bytes = bytes;
    inner.buf = bytes;
    inner.len = bytes.length;
    inner.view = undefined;
    this.pos = 0;
    return this;
  }

  /** Something that prints as the number, whatever the declaration says; good until the next is read. @throws RangeError */
  override uint64(): string {
    const bytes = this.#bytes;
    let value = 0;
    let weight = 1;
    for (let n = 0; n < MOST_BYTES; n++) {
      const byte = bytes[this.pos++];
      if (byte === undefined) throw new RangeError('premature EOF');
      value += (byte & 0x7f) * weight;
      if (byte < 0x80) {
        this.#printed.value = value;
        return this.#printed as unknown as string;
      }
      weight *= 128;
    }
    throw new RangeError('invalid varint');
  }

  // Few messages have fields of these kinds: those pay for the view.

  override double(): number {
    this.#view();
    return super.double();
  }

  override float(): number {
    this.#view();
    return super.float();
  }

  /** Byte by byte: every message of a life says which by such a field. */
  override fixed32(): number {
    const { pos } = this;
    const bytes = this.#bytes;
    const top = bytes[pos + 3];
    if (top === undefined) throw new RangeError('premature EOF');
    this.pos = pos + 4;
    return (
      ((bytes[pos] ?? 0) | ((bytes[pos + 1] ?? 0) << 8) | ((bytes[pos + 2] ?? 0) << 16) | (top << 24)) >>> 0
    );
  }

  override sfixed32(): number {
    this.#view();
    return super.sfixed32();
  }

  #view(): void {
    const { buffer, byteOffset, byteLength } = this.#bytes;
    this.#inner.view ??= new DataView(buffer, byteOffset, byteLength);
  }
}
