import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeFromShim,
  encodeMessage,
  type FromShim,
} from '../../../src/adapters/runtimes/process/protocol.ts';

describe('what comes out of a sandbox (C1)', () => {
  test.each<FromShim>([
    { kind: 'booted' },
    { kind: 'ready', loadMicros: 12, listenMicros: 0 },
    { kind: 'failed', message: 'TypeError: "quoted"\nand a second line' },
  ])('$kind survives the trip, in one line', (message) => {
    const line = encodeMessage(message);
    expect(line.indexOf('\n')).toBe(line.length - 1);
    expect(decodeFromShim(line.trimEnd())).toEqual(message);
  });

  test.each([
    'garbage',
    'null',
    '3',
    '[]',
    '{}',
    '{"kind":"ready"}',
    '{"kind":"ready","loadMicros":-1,"listenMicros":"x"}',
    '{"kind":"failed","message":{}}',
  ])('%s is no message', (line) => {
    expect(decodeFromShim(line)).toBeUndefined();
  });

  test('nothing that a function may write throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
        const message = decodeFromShim(line);
        expect([undefined, 'booted', 'ready', 'failed']).toContain(message?.kind);
      }),
      { seed: 20_240_917, numRuns: 500 },
    );
  });
});
