/**
 * What lies on disks and what members of different versions say to each other, as bytes written by the first version that
 * had them. A fixture is never edited: whatever comes later must read it, or a log written today is lost. A change of the
 * schema that adds a field keeps these readable; when the bytes written change with it, add a fixture beside the old one and
 * keep the old one among those that are only read.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { MetadataSnapshot } from '../../../src/core/metadata/metadata-state.ts';
import type { FunctionRecord, FunctionSpec } from '../../../src/core/model/function.ts';
import type { MetadataCommand } from '../../../src/core/model/metadata.ts';
import type { RaftBody, RaftMessage } from '../../../src/core/raft/types.ts';
import { digest, functionName, functionUid, replicaId } from '../../../src/lib/ids.ts';
import {
  decodeMetadataCommand,
  decodeMetadataSnapshot,
  encodeMetadataCommand,
  encodeMetadataSnapshot,
} from '../../../src/wire/metadata-codec.ts';
import { decodeRaftMessage, encodeRaftMessage } from '../../../src/wire/raft-codec.ts';

const spec: FunctionSpec = {
  name: functionName('hello'),
  runtime: 'javascript',
  artifact: digest('00112233445566778899aabbccddeeff'.repeat(2)),
  artifactBytes: 70_000,
  entry: 'index.js',
  command: [],
  env: [
    { name: 'GREETING', value: 'grüß dich' },
    { name: 'LEVEL', value: '' },
  ],
  containerConcurrency: 1,
  scaling: {
    target: 100,
    targetUtilizationPct: 70,
    min: 0,
    max: 20,
    initial: 1,
    activation: 1,
    stableWindowMs: 60_000,
    panicWindowPct: 10,
    panicThresholdPct: 200,
    maxScaleUpRate: 1_000,
    maxScaleDownRate: 2,
    scaleDownDelayMs: 0,
    scaleToZeroGraceMs: 30_000,
    burstCapacity: -1,
  },
  timeoutMs: 30_000,
  queueTimeoutMs: 10_000,
  resources: { cpuMillis: 100, memoryMiB: 128 },
  loadBalancing: 'two-choices',
  placement: 'default',
  selector: [],
};

const program: FunctionSpec = {
  ...spec,
  name: functionName('prog-2'),
  runtime: 'program',
  entry: '',
  command: ['./server', '--port', '$PORT'],
  env: [],
  containerConcurrency: 0,
  loadBalancing: 'least-loaded',
};

const record = (uid: number, generation: number, specIndex: number, what: FunctionSpec): FunctionRecord => ({
  uid: functionUid(uid),
  generation,
  specIndex,
  spec: what,
});

const COMMANDS: Record<string, Exclude<MetadataCommand, { kind: 'no-op' }>> = {
  'put-function': {
    kind: 'put-function',
    requestId: { base: 41, nonce: 'b7c1' },
    spec,
    ifGeneration: undefined,
  },
  // "Must not exist" and "whatever is there" are told apart by the presence of a zero.
  'put-function-if-absent': {
    kind: 'put-function',
    requestId: { base: 0, nonce: 'x' },
    spec: program,
    ifGeneration: 0,
  },
  'delete-function': {
    kind: 'delete-function',
    requestId: { base: 5_000_000_000, nonce: 'del' },
    name: functionName('hello'),
    ifGeneration: 3,
  },
};

const request = (
  index: number,
): { id: { base: number; nonce: string }; index: number; fingerprint: number } => ({
  id: { base: index - 1, nonce: `n${index}` },
  index,
  fingerprint: 0xdead_0000 + index,
});

const SNAPSHOTS: Record<string, MetadataSnapshot> = {
  'snapshot-empty': { index: 0, specIndex: 0, functions: [], requests: [], evictedIndex: 0 },
  snapshot: {
    index: 300,
    specIndex: 212,
    functions: [record(7, 3, 212, spec), record(9, 1, 9, program)],
    requests: [
      { ...request(20), outcome: { kind: 'put', uid: functionUid(7), generation: 2, specIndex: 20 } },
      { ...request(21), outcome: { kind: 'deleted', uid: functionUid(8), specIndex: 21 } },
      { ...request(22), outcome: { kind: 'not-found' } },
      { ...request(23), outcome: { kind: 'generation-mismatch', generation: 0 } },
      { ...request(24), outcome: { kind: 'too-many-functions' } },
      { ...request(25), outcome: { kind: 'request-expired' } },
      { ...request(26), outcome: { kind: 'request-id-reused' } },
    ],
    evictedIndex: 19,
  },
};

function message(body: RaftBody): RaftMessage {
  return {
    cluster: 'c1',
    epoch: 1,
    memberHash: 0x9abc_def0,
    from: replicaId('r1'),
    to: replicaId('r2'),
    term: 12,
    incarnation: { ms: 1_700_000_000_000, nonce: 4_000_000_000 },
    commandVersion: 1,
    voter: true,
    body,
  };
}

const MESSAGES: Record<string, RaftMessage> = {
  'vote-request': message({
    kind: 'vote-request',
    pre: true,
    lastIndex: 300,
    lastTerm: 11,
    hint: true,
    force: true,
  }),
  'vote-reply': message({ kind: 'vote-reply', pre: false, granted: true, asked: 12 }),
  append: message({
    kind: 'append',
    prevIndex: 299,
    prevTerm: 11,
    entries: [
      { index: 300, term: 12, data: new Uint8Array(0) },
      { index: 301, term: 12, data: Uint8Array.of(1, 2, 3) },
    ],
    commit: 298,
    round: 77,
    successor: replicaId('r3'),
  }),
  heartbeat: message({
    kind: 'append',
    prevIndex: 0,
    prevTerm: 0,
    entries: [],
    commit: 0,
    round: 1,
    successor: '',
  }),
  'append-reply': message({
    kind: 'append-reply',
    ok: false,
    index: 250,
    hintTerm: 9,
    refused: 299,
    round: 77,
  }),
  snapshot: message({
    kind: 'snapshot',
    index: 200,
    lastTerm: 8,
    offset: 393_216,
    total: 400_000,
    data: Uint8Array.of(9, 8, 7),
    round: 78,
  }),
  'snapshot-reply': message({
    kind: 'snapshot-reply',
    index: 200,
    offset: 400_000,
    installed: true,
    round: 78,
  }),
  'timeout-now': message({ kind: 'timeout-now' }),
  'rejoin-request': message({ kind: 'rejoin-request', nonce: 3_000_000_000 }),
  'rejoin-reply': message({
    kind: 'rejoin-reply',
    nonce: 3_000_000_000,
    confirmedCommit: 298,
    knownIncarnationMs: 0,
  }),
};

interface Golden {
  readonly file: string;
  readonly value: unknown;
  readonly written: Uint8Array;
  readonly read: (bytes: Uint8Array) => unknown;
}

const ALL: readonly Golden[] = [
  ...Object.entries(COMMANDS).map(([name, value]) => ({
    file: `command-${name}`,
    value,
    written: encodeMetadataCommand(value),
    read: decodeMetadataCommand,
  })),
  ...Object.entries(SNAPSHOTS).map(([name, value]) => ({
    file: `metadata-${name}`,
    value,
    written: encodeMetadataSnapshot(value),
    read: decodeMetadataSnapshot,
  })),
  ...Object.entries(MESSAGES).map(([name, value]) => ({
    file: `raft-${name}`,
    value,
    written: encodeRaftMessage(value),
    read: decodeRaftMessage,
  })),
];

/** Hexadecimal, in lines of 32 bytes. */
const lines = (bytes: Uint8Array): string =>
  Buffer.from(bytes)
    .toString('hex')
    .replaceAll(/.{64}(?=.)/g, '$&\n')
    .concat('\n');

const fixture = (file: string): string => readFileSync(new URL(`${file}.hex`, import.meta.url), 'utf8');

describe.each(ALL)('$file', ({ file, value, written, read }) => {
  it('is read as it was meant', () => {
    const bytes = Uint8Array.from(Buffer.from(fixture(file).replaceAll(/\s/g, ''), 'hex'));
    expect(read(bytes)).toEqual(value);
  });

  it('is still written like that', () => {
    expect(lines(written)).toBe(fixture(file));
  });
});

it('every fixture is read by somebody', () => {
  const there = readdirSync(new URL('.', import.meta.url)).filter((name) => name.endsWith('.hex'));
  expect(there.map((name) => name.replace('.hex', '')).sort()).toEqual(ALL.map(({ file }) => file).sort());
});
