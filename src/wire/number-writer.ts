/**
 * Writes 64-bit fields as the numbers that they are. The library's writer makes a BigInt of each and takes that apart again; nearly all
 * of ours (terms, indices, sequences) fit 32 bits, whose varints are the same bytes.
 */
import { BinaryWriter } from '@bufbuild/protobuf/wire';

const UINT32_MAX = 0xffff_ffff;

export class NumberWriter extends BinaryWriter {
  override uint64(value: string | number | bigint): this {
    return typeof value === 'number' && value <= UINT32_MAX ? this.uint32(value) : super.uint64(value);
  }
}
