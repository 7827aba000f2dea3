import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { eachLine, Tail } from '../../../src/adapters/runtimes/process/lines.ts';
import { limits } from '../../../src/lib/limits.ts';

async function linesOf(chunks: readonly (string | Buffer)[], maxBytes?: number): Promise<string[]> {
  const stream = new PassThrough();
  const lines: string[] = [];
  eachLine(stream, (text) => lines.push(text), maxBytes);
  const ended = new Promise((resolve) => stream.once('end', resolve));
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  await ended;
  return lines;
}

describe('lines of output', () => {
  test('are put together across chunks, the last one without its end too', async () => {
    expect(await linesOf(['on', 'e\ntwo\n\nth', 'ree'])).toEqual(['one', 'two', '', 'three']);
  });

  test('keep characters whole that a chunk cuts in two', async () => {
    const bytes = Buffer.from('häuser 🦉\n');
    expect(await linesOf(Array.from(bytes, (byte) => Buffer.of(byte)))).toEqual(['häuser 🦉']);
  });

  test('that are too long come in pieces, none above the limit, nothing lost', async () => {
    const text = '🦉é'.repeat(40);
    const pieces = await linesOf([text.slice(0, 33), text.slice(33), '\nnext'], 16);
    expect(pieces.pop()).toBe('next');
    for (const piece of pieces) expect(Buffer.byteLength(piece)).toBeLessThanOrEqual(16);
    expect(pieces.join('')).toBe(text);
  });

  test('without an end are not kept waiting', async () => {
    const stream = new PassThrough();
    const lines: string[] = [];
    eachLine(stream, (text) => lines.push(text));
    stream.write('x'.repeat(limits.logLineBytes * 3));
    await new Promise((resolve) => setImmediate(resolve));
    expect(lines.length).toBeGreaterThanOrEqual(2);
    expect(lines.every((line) => line.length <= limits.logLineBytes)).toBe(true);
  });
});

describe('the tail', () => {
  test('keeps the last lines only', () => {
    const tail = new Tail();
    for (let i = 1; i <= limits.exitLogLines + 10; i++) tail.add(`line ${i}`);
    const lines = tail.toString().split('\n');
    expect(lines).toHaveLength(limits.exitLogLines);
    expect(lines[0]).toBe('line 11');
  });

  test('is bounded in bytes, and one line of full length fits', () => {
    const tail = new Tail();
    for (let i = 0; i < 8; i++) tail.add(String(i).repeat(limits.logLineBytes));
    expect(Buffer.byteLength(tail.toString())).toBeLessThanOrEqual(limits.exitLogBytes);
    expect(tail.toString().endsWith('7'.repeat(limits.logLineBytes))).toBe(true);
  });
});
