/** The table file: written in pieces, read as a whole, and never believed when it is damaged. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeTables, encodeTables, type SavedTables } from '../../../src/data-plane/table-store.ts';
import { endpoint, endpointSnapshot, specSnapshot } from '../wire/arbitraries.ts';

const tables = fc
  .record({ specs: specSnapshot, table: endpointSnapshot })
  .map(({ specs, table: { fence, endpoints, owners } }): SavedTables => ({
    specs,
    endpoints: { fence, endpoints, owners },
  }));

const whole = (saved: SavedTables): Buffer => Buffer.concat([...encodeTables(saved)]);

describe('the table file', () => {
  it('reads as what was written', () => {
    fc.assert(
      fc.property(tables, (saved) => {
        expect(decodeTables(whole(saved))).toMatchObject({
          specs: saved.specs,
          endpoints: saved.endpoints,
        });
      }),
    );
  });

  it('is encoded in pieces as they are asked for, however many endpoints there are', () => {
    fc.assert(
      fc.property(tables, endpoint, (saved, one) => {
        const many = { ...saved, endpoints: { ...saved.endpoints, endpoints: Array(5_000).fill(one) } };
        expect([...encodeTables(many)].length).toBeGreaterThan(10);
        expect(decodeTables(whole(many)).endpoints.endpoints).toHaveLength(5_000);
      }),
      { numRuns: 3 },
    );
  });

  it('is damaged when a byte is another, or one is missing', () => {
    fc.assert(
      fc.property(tables, fc.nat(), fc.integer({ min: 1, max: 255 }), (saved, at, flip) => {
        const bytes = whole(saved);
        expect(() => decodeTables(bytes.subarray(0, at % bytes.length))).toThrow('damaged');
        bytes[at % bytes.length]! ^= flip;
        expect(() => decodeTables(bytes)).toThrow('damaged');
      }),
    );
  });
});
