/** The chunked coding, read strictly, as a machine from bytes to slices of bytes. */
import { ProtocolError, parseHeaderLine } from './h1-head.ts';

const SIZE = /^([0-9a-fA-F]{1,12})(?:[\t ]*;[\t\x20-\x7e\x80-\xff]*)?$/;
const MAX_LINE = 4_096;
const MAX_TRAILERS = 64;

type State = 'size' | 'data' | 'data-end' | 'trailer' | 'done';

export class ChunkedDecoder {
  #state: State = 'size';
  #left = 0;
  #line = '';
  #trailers = 0;

  get done(): boolean {
    return this.#state === 'done';
  }

  /**
   * Gives every slice of payload to `emit`.
   * @returns how many bytes were consumed; fewer than given only when the message ended
   * @throws ProtocolError
   */
  push(bytes: Buffer, emit: (slice: Buffer) => void): number {
    let at = 0;
    while (at < bytes.length && this.#state !== 'done') {
      if (this.#state === 'data') {
        const end = Math.min(bytes.length, at + this.#left);
        emit(bytes.subarray(at, end));
        this.#left -= end - at;
        at = end;
        if (this.#left === 0) this.#state = 'data-end';
      } else {
        at = this.#pushLine(bytes, at);
      }
    }
    return at;
  }

  #pushLine(bytes: Buffer, from: number): number {
    const lf = bytes.indexOf(0x0a, from);
    const end = lf === -1 ? bytes.length : lf + 1;
    this.#line += bytes.toString('latin1', from, end);
    if (this.#line.length > MAX_LINE) throw new ProtocolError('line of a chunk is too long');
    if (lf === -1) return end;
    if (!this.#line.endsWith('\r\n')) throw new ProtocolError('bare line feed in the chunked coding');
    const line = this.#line.slice(0, -2);
    this.#line = '';
    this.#onLine(line);
    return end;
  }

  #onLine(line: string): void {
    switch (this.#state) {
      case 'size': {
        const size = SIZE.exec(line)?.[1];
        if (size === undefined) throw new ProtocolError('malformed chunk size');
        this.#left = Number.parseInt(size, 16);
        this.#state = this.#left === 0 ? 'trailer' : 'data';
        return;
      }
      case 'data-end':
        if (line !== '') throw new ProtocolError('a chunk is longer than its size');
        this.#state = 'size';
        return;
      case 'trailer':
        if (line === '') this.#state = 'done';
        else {
          // Trailers are checked and dropped.
          parseHeaderLine(line);
          if (++this.#trailers > MAX_TRAILERS) throw new ProtocolError('too many trailers');
        }
        return;
      case 'data':
      case 'done':
        throw new ProtocolError('unexpected line');
    }
  }
}
