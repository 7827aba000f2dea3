/** Cutting what is larger than a message, and putting it together again. */
import { assert } from '../lib/assert.ts';
import { limits } from '../lib/limits.ts';

/** At least one chunk, so that an empty whole travels too. */
export function chunkCount(bytes: Uint8Array): number {
  return Math.max(1, Math.ceil(bytes.length / limits.chunkBytes));
}

export function chunkAt(bytes: Uint8Array, chunk: number): Uint8Array {
  return bytes.subarray(chunk * limits.chunkBytes, (chunk + 1) * limits.chunkBytes);
}

/** Collects the chunks of one bound, in order; another bound begins again. */
export class Assembler {
  #parts: Uint8Array[] = [];
  #bound = 0;

  /** The chunk to ask for next. */
  get next(): number {
    return this.#parts.length;
  }

  /** The bound that the next chunk must belong to; 0: any. */
  get bound(): number {
    return this.#parts.length === 0 ? 0 : this.#bound;
  }

  /** The whole, once the last chunk is here. A chunk that does not fit is ignored. */
  add(bound: number, chunk: number, chunks: number, bytes: Uint8Array): Uint8Array | undefined {
    if (chunk === 0 && bound !== this.#bound) this.reset();
    if (chunk !== this.#parts.length || (chunk > 0 && bound !== this.#bound)) return undefined;
    this.#bound = bound;
    this.#parts.push(bytes);
    if (this.#parts.length < chunks) return undefined;
    const whole = new Uint8Array(this.#parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of this.#parts) {
      whole.set(part, at);
      at += part.length;
    }
    assert(at === whole.length, 'every byte is placed');
    this.reset();
    return whole;
  }

  reset(): void {
    this.#parts = [];
    this.#bound = 0;
  }
}
