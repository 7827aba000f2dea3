/** Cuts a stream of bytes into lines; a line that is too long is cut, never kept waiting. */
import { StringDecoder } from 'node:string_decoder';
import type { Readable } from 'node:stream';
import { limits } from '../../../lib/limits.ts';

export function eachLine(stream: Readable, onLine: (text: string) => void): void {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  stream.on('data', (chunk: Buffer) => {
    const lines = (rest + decoder.write(chunk)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line.slice(0, limits.logLineBytes));
    if (rest.length > limits.logLineBytes) {
      onLine(rest.slice(0, limits.logLineBytes));
      rest = '';
    }
  });
  stream.on('end', () => {
    if (rest !== '') onLine(rest);
    rest = '';
  });
  stream.on('error', () => undefined);
}
