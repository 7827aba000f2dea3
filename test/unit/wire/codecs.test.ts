/**
 * What holds for every codec: a value comes back as it was, a newer sender's extra fields do no harm, a newer sender's kinds
 * are refused as such, and no bytes whatever throw anything but a WireError.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { replicaId } from '../../../src/lib/ids.ts';
import { decodeRaftMessage, encodeRaftMessage } from '../../../src/wire/raft-codec.ts';
import { WireError } from '../../../src/wire/wire-error.ts';
import { CODECS, type Codec } from './codecs.ts';

/** "malformed", "unknown-kind", or "read". Anything else that is thrown fails the test. */
function verdict(codec: Codec, bytes: Uint8Array): string {
  try {
    codec.decode(bytes);
    return 'read';
  } catch (error) {
    if (error instanceof WireError) return error.problem;
    throw error;
  }
}

/** As a newer version would write it: with a field that this one does not know in every message, however deep. */
function withUnknownFields(codec: Codec, bytes: Uint8Array): Uint8Array {
  const varint = (1_000 << 3) | 0;
  const delimited = (1_001 << 3) | 2;
  const visit = (value: unknown): void => {
    if (value instanceof Uint8Array || value === null || typeof value !== 'object') return;
    if (Array.isArray(value)) return value.forEach(visit);
    for (const [key, field] of Object.entries(value)) if (key !== '_unknownFields') visit(field);
    if ('_unknownFields' in value) {
      const extra = { [varint]: [Uint8Array.of(7)], [delimited]: [Uint8Array.of(2, 104, 105)] };
      Object.assign(value, { _unknownFields: extra });
    }
  };
  const message = codec.schema.decode(bytes);
  visit(message);
  return codec.schema.encode(message as never).finish();
}

describe.each(CODECS)('$name', (codec) => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(codec.values, (value) => {
        expect(codec.decode(codec.encode(value))).toEqual(value);
      }),
      { seed: 31, numRuns: 60 },
    );
  });

  it('has one encoding: what was read is written again byte for byte', () => {
    fc.assert(
      fc.property(codec.values, (value) => {
        const bytes = codec.encode(value);
        expect(Buffer.from(codec.encode(codec.decode(bytes))).equals(bytes)).toBe(true);
      }),
      { seed: 32, numRuns: 30 },
    );
  });

  it('of a newer sender is read without the fields that are not known here', () => {
    fc.assert(
      fc.property(codec.values, (value) => {
        const newer = withUnknownFields(codec, codec.encode(value));
        expect(newer.length).toBeGreaterThan(codec.encode(value).length);
        expect(codec.decode(newer)).toEqual(value);
      }),
      { seed: 33, numRuns: 30 },
    );
  });

  it('cut anywhere or with any byte changed is read or refused, and nothing else happens', () => {
    const verdicts = new Set<string>();
    for (const value of fc.sample(codec.values, { seed: 34, numRuns: 4 })) {
      const bytes = codec.encode(value);
      for (let at = 0; at < bytes.length; at++) {
        verdicts.add(verdict(codec, bytes.subarray(0, at)));
        for (const mask of [0x01, 0x08, 0x80, 0xff]) {
          const changed = bytes.slice();
          changed[at] = (changed[at] ?? 0) ^ mask;
          verdicts.add(verdict(codec, changed));
        }
      }
    }
    expect(verdicts).toContain('malformed');
  });

  it('that is noise is read or refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(['read', 'malformed', 'unknown-kind']).toContain(verdict(codec, bytes));
      }),
      { seed: 35, numRuns: 100 },
    );
    // Groups within groups, a length that is a lie, and a number that no double holds.
    for (const bytes of [
      new Uint8Array(100_000).fill(0x0b),
      Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f),
      Uint8Array.of(0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
    ]) {
      expect(['read', 'malformed', 'unknown-kind']).toContain(verdict(codec, bytes));
    }
  });
});

describe('a kind that is not known here', () => {
  const find = (name: string): Codec => {
    const codec = CODECS.find((one) => one.name === name);
    if (codec === undefined) throw new Error(`no codec ${name}`);
    return codec;
  };

  it.each(['data-plane message', 'worker report', 'metadata command'])('of %s is refused as such', (name) => {
    // A oneof of field 15, as a later version might add.
    expect(verdict(find(name), Uint8Array.of(0x7a, 0x02, 0x08, 0x01))).toBe('unknown-kind');
  });

  it.each(['command', 'notice', 'raft message', 'endpoint batch'])('within a %s too', (name) => {
    const codec = find(name);
    const withoutKind = fc.sample(codec.values, { seed: 36, numRuns: 20 }).map((value) => {
      const message = codec.schema.decode(codec.encode(value)) as Record<string, unknown>;
      if (Array.isArray(message['changes'])) message['changes'] = [{ change: undefined }];
      for (const oneof of ['command', 'notice', 'body']) delete message[oneof];
      return verdict(codec, codec.schema.encode(message as never).finish());
    });
    expect(new Set(withoutKind)).toEqual(new Set(['unknown-kind']));
  });

  it('of an enumeration is refused too: it must never be taken for another', () => {
    for (const stream of [0, 3, 77]) {
      expect(verdict(find('pull'), Uint8Array.of(0x08, stream)), `stream ${stream}`).toBe('unknown-kind');
    }
  });

  it('is not a malformed message, and a malformed one is no unknown kind', () => {
    expect(verdict(find('lookup'), Uint8Array.of(0x0a, 0x01, 0x2e)), 'a name with a dot').toBe('malformed');
    expect(verdict(find('worker report'), Uint8Array.of(0x0a, 0x05)), 'a length beyond the end').toBe(
      'malformed',
    );
    expect(verdict(find('command'), new Uint8Array(0)), 'no fence').toBe('malformed');
  });

  it('of a log entry is not the empty entry, which is Raft’s own', () => {
    expect(find('metadata command').decode(new Uint8Array(0))).toEqual({ kind: 'no-op' });
  });
});

describe('a WireError', () => {
  it('names the message, and keeps what went wrong as its cause', () => {
    const codec = CODECS.find(({ name }) => name === 'beacon');
    const thrown = (): unknown => codec?.decode(Uint8Array.of(0x0a, 0x05));
    expect(thrown).toThrow('beacon: malformed message');
    expect(thrown).toThrow(
      expect.objectContaining({
        code: 'invalid-argument',
        fields: { path: 'beacon' },
        cause: expect.any(Error),
      }),
    );
  });
});

describe('an append', () => {
  const message = (indexes: readonly number[]): Uint8Array =>
    encodeRaftMessage({
      cluster: 'c',
      epoch: 1,
      memberHash: 1,
      from: replicaId('r1'),
      to: replicaId('r2'),
      term: 2,
      incarnation: { ms: 1, nonce: 1 },
      commandVersion: 1,
      voter: true,
      body: {
        kind: 'append',
        prevIndex: 4,
        prevTerm: 1,
        entries: indexes.map((index) => ({ index, term: 2, data: new Uint8Array() })),
        commit: 4,
        round: 1,
        successor: '',
      },
    });

  it('whose entries do not follow one another is malformed: the core would take its own log for broken', () => {
    expect(() => decodeRaftMessage(message([5, 6]))).not.toThrow();
    for (const indexes of [[6], [4], [5, 7], [5, 5]])
      expect(() => decodeRaftMessage(message(indexes))).toThrow(WireError);
  });
});
