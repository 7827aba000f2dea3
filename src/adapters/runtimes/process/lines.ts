/** Output of sandboxes: cut into lines, and the last of them kept for whoever asks why it ended. Both bounded in bytes. */
import { StringDecoder } from 'node:string_decoder';
import type { Readable } from 'node:stream';
import { limits } from '../../../lib/limits.ts';

/** A line that is too long is handed over in pieces, never kept waiting. */
export function eachLine(
  stream: Readable,
  onLine: (text: string) => void,
  maxBytes: number = limits.logLineBytes,
): void {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  const inPieces = (text: string): string => {
    let left = text;
    while (Buffer.byteLength(left) > maxBytes) {
      const piece = fitting(left, maxBytes);
      onLine(piece);
      left = left.slice(piece.length);
    }
    return left;
  };
  stream.on('data', (chunk: Buffer) => {
    const lines = (rest + decoder.write(chunk)).split('\n');
    rest = inPieces(lines.pop() ?? '');
    for (const line of lines) onLine(inPieces(line));
  });
  stream.on('end', () => {
    if (rest !== '') onLine(rest);
    rest = '';
  });
  stream.on('error', () => undefined);
}

/** The longest beginning within that many bytes that cuts no character in two. */
function fitting(text: string, maxBytes: number): string {
  let end = Math.min(text.length, maxBytes);
  while (end > 1 && Buffer.byteLength(text.slice(0, end)) > maxBytes) end -= Math.max(1, end >> 4);
  const last = text.charCodeAt(end - 1);
  const splitsPair = end > 1 && last >= 0xd800 && last <= 0xdbff;
  return text.slice(0, splitsPair ? end - 1 : end);
}

/** The last lines of one sandbox. */
export class Tail {
  readonly #lines: string[] = [];
  #bytes = 0;

  add(line: string): void {
    this.#lines.push(line);
    this.#bytes += Buffer.byteLength(line) + 1;
    while (this.#lines.length > limits.exitLogLines || this.#bytes > limits.exitLogBytes) {
      this.#bytes -= Buffer.byteLength(this.#lines.shift() ?? '') + 1;
    }
  }

  toString(): string {
    return this.#lines.join('\n');
  }
}
