/** The bytes of a segment: D1 to D3 of records.ts, for every cut and every flipped bit. */
import { describe, expect, it } from 'vitest';
import {
  chainSeed,
  encodeRecord,
  scanSegment,
  seal,
  unseal,
} from '../../../src/adapters/log-file/records.ts';

const PAYLOADS = ['first', '', 'a third, longer than the others', '4'];

function segment(number: number, payloads: readonly string[]): { bytes: Buffer; ends: number[] } {
  let chain = chainSeed(number);
  let bytes = Buffer.alloc(0);
  const ends: number[] = [];
  for (const payload of payloads) {
    const record = encodeRecord(Buffer.from(payload), chain);
    chain = record.chain;
    bytes = Buffer.concat([bytes, record.bytes]);
    ends.push(bytes.length);
  }
  return { bytes, ends };
}

const texts = (payloads: readonly Uint8Array[]): string[] =>
  payloads.map((payload) => Buffer.from(payload).toString());

describe('a segment', () => {
  const { bytes, ends } = segment(3, PAYLOADS);

  it('reads back what was written, empty payloads too', () => {
    const scan = scanSegment(bytes, 3);
    expect(scan.state).toBe('whole');
    expect(texts(scan.payloads)).toEqual(PAYLOADS);
    expect(scan.goodBytes).toBe(bytes.length);
  });

  it('goes on where it stopped: the chain of a scan continues the chain of the writer', () => {
    const scan = scanSegment(bytes, 3);
    const more = encodeRecord(Buffer.from('fifth'), scan.chain);
    expect(texts(scanSegment(Buffer.concat([bytes, more.bytes]), 3).payloads).at(-1)).toBe('fifth');
  });

  it('cut anywhere is torn, and keeps exactly the records that are whole (D1)', () => {
    for (let cut = 0; cut < bytes.length; cut++) {
      const scan = scanSegment(bytes.subarray(0, cut), 3);
      const whole = ends.filter((end) => end <= cut);
      expect(texts(scan.payloads), `cut at ${cut}`).toEqual(PAYLOADS.slice(0, whole.length));
      expect(scan.goodBytes).toBe(whole.at(-1) ?? 0);
      expect(scan.state).toBe(scan.goodBytes === cut ? 'whole' : 'torn');
    }
  });

  it('with any one bit flipped is damaged, and yields nothing from there on (D3)', () => {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const scan = scanSegment(flipped, 3);
      const before = ends.filter((end) => end <= bit >> 3).length;
      expect([scan.state, scan.payloads.length], `bit ${bit}`).toEqual(['damaged', before]);
    }
  });

  it('that grew before its data arrived is torn: zeros to the end, however many (D2)', () => {
    for (const zeros of [1, 7, 8, 11, 12, 13, 4_096]) {
      const scan = scanSegment(Buffer.concat([bytes, Buffer.alloc(zeros)]), 3);
      expect([scan.state, scan.goodBytes], `${zeros} zeros`).toEqual(['torn', bytes.length]);
    }
    const hole = Buffer.concat([bytes, Buffer.alloc(64), Buffer.of(1)]);
    expect(scanSegment(hole, 3).state, 'something after the zeros').toBe('damaged');
  });

  it('is not another segment, and its records do not change places', () => {
    expect(scanSegment(bytes, 4).state).toBe('damaged');
    const swapped = segment(3, ['bb', 'aa']).bytes;
    const length = swapped.length / 2;
    const other = Buffer.concat([swapped.subarray(length), swapped.subarray(0, length)]);
    expect(scanSegment(other, 3)).toMatchObject({ state: 'damaged', payloads: [] });
  });

  it('that lost a record from its middle is damaged', () => {
    const [first = 0, , third = 0] = ends;
    const gap = Buffer.concat([bytes.subarray(0, first), bytes.subarray(third)]);
    expect(scanSegment(gap, 3)).toMatchObject({ state: 'damaged', goodBytes: first });
  });
});

describe('a sealed file', () => {
  const sealed = seal(Buffer.from('term 4, vote b'));

  it('gives back its content, and ignores what an earlier, longer content left behind', () => {
    for (const rest of [0, 1, 30]) {
      const content = unseal(Buffer.concat([sealed, Buffer.alloc(rest, 'x')]));
      expect(content === undefined ? undefined : Buffer.from(content).toString()).toBe('term 4, vote b');
    }
    expect(unseal(seal(Buffer.alloc(0)))).toEqual(Buffer.alloc(0));
  });

  it('cut anywhere, or with any bit flipped, is not opened', () => {
    for (let cut = 0; cut < sealed.length; cut++) expect(unseal(sealed.subarray(0, cut))).toBeUndefined();
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const flipped = Buffer.from(sealed);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(unseal(Buffer.concat([flipped, Buffer.alloc(64)])), `bit ${bit}`).toBeUndefined();
    }
    expect(unseal(Buffer.alloc(64)), 'zeros alone').toBeUndefined();
  });
});
