/** Every message fits the bus: lists are split before they are encoded, and what is read is bounded too. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reportBounds } from '../../../src/data-plane/config.ts';
import {
  dataPlaneId,
  digest,
  functionUid,
  sandboxId,
  workerId,
  type SandboxId,
} from '../../../src/lib/ids.ts';
import { limits } from '../../../src/lib/limits.ts';
import type { FunctionRecord, FunctionSpec } from '../../../src/core/model/function.ts';
import type { Endpoint, SandboxOwner, SandboxStatus } from '../../../src/core/model/sandbox.ts';
import { decodeSpecBatch, encodeSpecBatch, fitsSpecBatch } from '../../../src/wire/broadcast-codec.ts';
import {
  decodeDataPlaneMessage,
  encodeDataPlaneMessage,
  splitEndpoints,
  splitHeld,
} from '../../../src/wire/data-plane-codec.ts';
import { encodeMetadataCommand } from '../../../src/wire/metadata-codec.ts';
import { decodeWorkerReport, encodeWorkerReport, splitStatuses } from '../../../src/wire/worker-codec.ts';
import { record } from '../dispatch/fixtures.ts';
import * as any from './arbitraries.ts';

const FENCE = { epoch: 1, term: 2 };
const FULL_OF_ARTIFACTS = Array.from({ length: limits.artifactsPerWorker }, (_, i) =>
  digest(i.toString(16).padStart(64, '0')),
);
const INCARNATION = { ms: 1_700_000_000_000, nonce: 0xffff_ffff };

function inventory(sandboxes: readonly SandboxStatus[], part: number, parts: number): Uint8Array {
  return encodeWorkerReport({
    kind: 'inventory',
    incarnation: INCARNATION,
    version: Number.MAX_SAFE_INTEGER,
    part,
    parts,
    sandboxes,
    artifacts: FULL_OF_ARTIFACTS,
  });
}

const OWNER: SandboxOwner = {
  dataPlane: dataPlaneId('d'.repeat(63)),
  incarnation: { ms: Number.MAX_SAFE_INTEGER, nonce: 0xffff_ffff },
};

function status(id: string, log: string): SandboxStatus {
  return {
    id: sandboxId(id),
    uid: functionUid(Number.MAX_SAFE_INTEGER),
    generation: Number.MAX_SAFE_INTEGER,
    specIndex: Number.MAX_SAFE_INTEGER,
    state: 'gone',
    version: Number.MAX_SAFE_INTEGER,
    address: `unix:/${'a'.repeat(100)}`,
    pid: 0xffff_ffff,
    trial: true,
    owner: OWNER,
    reason: 'exited with status 1',
    log,
    startStages: [{ name: 'specialise', micros: 12_000 }],
  };
}

describe('statuses', () => {
  it('are split so that every part fits a message, with the longest names and the longest last words', () => {
    const worst = '\u{10ffff}'.repeat(limits.exitLogBytes / 4);
    const sandboxes = Array.from({ length: limits.sandboxesPerWorker }, (_, i) =>
      status(`${'s'.repeat(57)}-${i}`, i % 100 === 0 ? worst : ''),
    );
    const parts = splitStatuses(sandboxes);
    expect(parts.length).toBeGreaterThan(1);
    expect(parts.flat()).toEqual(sandboxes);
    for (const [part, list] of parts.entries()) {
      expect(inventory(list, part, parts.length).length).toBeLessThanOrEqual(limits.messageBytes);
    }
  });

  it('keep their order and are never lost, whatever they are', () => {
    fc.assert(
      fc.property(fc.array(any.status, { maxLength: 20 }), (list) => {
        expect(splitStatuses(list).flat()).toEqual(list);
      }),
      { seed: 41, numRuns: 50 },
    );
  });

  it('that are none make one empty part: an empty inventory is said', () => {
    expect(splitStatuses([])).toEqual([[]]);
    expect(splitEndpoints([])).toEqual([[]]);
  });

  it('of more sandboxes than a worker may have are refused', () => {
    const heartbeat = (changes: number): Uint8Array =>
      encodeWorkerReport({
        kind: 'heartbeat',
        incarnation: INCARNATION,
        seq: 1,
        natsServer: '',
        capacity: { cpuMillis: 1, memoryMiB: 1, sandboxes: 1 },
        cordoned: false,
        draining: false,
        driver: '',
        isolation: '',
        labels: [],
        fence: FENCE,
        lastCommand: 0,
        sinceVersion: 0,
        version: 1,
        changes: Array.from({ length: changes }, (_, i) => ({
          ...status(`s-${i}`, ''),
          address: '',
          owner: undefined,
          startStages: [],
        })),
        artifactsAdded: FULL_OF_ARTIFACTS,
        artifactsRemoved: [],
      });
    expect(decodeWorkerReport(heartbeat(limits.sandboxesPerWorker))).toMatchObject({ kind: 'heartbeat' });
    expect(() => decodeWorkerReport(heartbeat(limits.sandboxesPerWorker + 1))).toThrow('changes: malformed');
  });
});

describe('artifacts', () => {
  it('of more than a worker reports are refused', () => {
    const hello = (count: number): Uint8Array =>
      encodeWorkerReport({
        kind: 'inventory',
        incarnation: INCARNATION,
        version: 1,
        part: 0,
        parts: 1,
        sandboxes: [],
        artifacts: Array.from({ length: count }, () => digest('a'.repeat(64))),
      });
    expect(decodeWorkerReport(hello(limits.artifactsPerWorker))).toMatchObject({ kind: 'inventory' });
    expect(() => decodeWorkerReport(hello(limits.artifactsPerWorker + 1))).toThrow('artifacts: malformed');
  });
});

describe('parts', () => {
  it.each([
    [0, 0],
    [1, 1],
    [7, 3],
  ])('%i of %i is no part', (part, parts) => {
    expect(() => decodeWorkerReport(inventory([], part, parts))).toThrow('part: malformed');
    const held = encodeDataPlaneMessage({
      kind: 'held',
      incarnation: INCARNATION,
      part,
      parts,
      endpoints: [],
      workers: [],
    });
    expect(() => decodeDataPlaneMessage(held)).toThrow('part: malformed');
  });
});

describe('endpoints', () => {
  it('are split so that every part fits a message, with the longest names', () => {
    const endpoints: Endpoint[] = Array.from({ length: 5_000 }, (_, i) => ({
      sandbox: sandboxId(`${'s'.repeat(58)}-${i}`),
      uid: functionUid(Number.MAX_SAFE_INTEGER),
      generation: Number.MAX_SAFE_INTEGER,
      specIndex: Number.MAX_SAFE_INTEGER,
      worker: workerId('w'.repeat(63)),
      address: `unix:/${'a'.repeat(250)}`,
      owner: OWNER,
    }));
    const workers = Array.from({ length: limits.workers }, (_, i) => workerId(`${'w'.repeat(56)}-${i}`));
    const parts = splitHeld(endpoints, workers);
    expect(parts.flatMap((part) => part.endpoints)).toEqual(endpoints);
    expect(parts.flatMap((part) => part.workers)).toEqual(workers);
    for (const [part, told] of parts.entries()) {
      const held = encodeDataPlaneMessage({
        kind: 'held',
        incarnation: INCARNATION,
        part,
        parts: parts.length,
        ...told,
      });
      expect(held.length).toBeLessThanOrEqual(limits.messageBytes);
    }
  });
});

describe('a report', () => {
  it('with as much of everything as it may hold fits a message', () => {
    const sandboxes = (count: number): SandboxId[] =>
      Array.from({ length: count }, (_, i) => sandboxId(`${'s'.repeat(56)}-${String(i).padStart(6, '0')}`));
    const uid = functionUid(Number.MAX_SAFE_INTEGER);
    const report = encodeDataPlaneMessage({
      kind: 'report',
      incarnation: INCARNATION,
      seq: Number.MAX_SAFE_INTEGER,
      natsServer: 'n'.repeat(253),
      caller: 'c'.repeat(300),
      peer: 'p'.repeat(300),
      fence: FENCE,
      endpointSeq: Number.MAX_SAFE_INTEGER,
      specIndex: Number.MAX_SAFE_INTEGER,
      loads: Array.from({ length: reportBounds.loads }, () => ({ uid, inFlight: 10_000, queued: 10_000 })),
      withdrawing: sandboxes(reportBounds.withdrawing).map((sandbox) => ({ sandbox, inFlight: 10_000 })),
      refused: sandboxes(reportBounds.refused),
      condemned: sandboxes(reportBounds.condemned),
      owned: Array.from({ length: reportBounds.owned }, () => uid),
    });
    expect(report.length).toBeLessThanOrEqual(limits.messageBytes);
  });
});

describe('specs', () => {
  const large = (uid: number, bytes: number, letter: string): FunctionRecord => {
    const plain = record({ uid });
    return {
      ...plain,
      spec: { ...plain.spec, env: [{ name: 'A', value: letter.repeat(bytes / letter.length) }] },
    };
  };

  it('that are said to fit a batch do, in letters of any size', () => {
    for (const letter of ['x', 'ä', '€', '\u{1f600}']) {
      for (let count = 1; count < 40; count++) {
        const put = Array.from({ length: count }, (_, i) => large(i + 1, 16_384, letter));
        if (!fitsSpecBatch(put)) break;
        const bytes = encodeSpecBatch({ fence: FENCE, prevSpecIndex: 1, specIndex: 2, put, deleted: [] });
        expect(bytes.length).toBeLessThanOrEqual(limits.messageBytes);
      }
    }
    expect(fitsSpecBatch([large(1, limits.envBytes, 'x')]), 'one always does').toBe(true);
    expect(fitsSpecBatch(Array.from({ length: 7 }, (_, i) => large(i + 1, limits.envBytes, 'x')))).toBe(
      false,
    );
  });

  it('with more variables than the limit are not read', () => {
    const plain = record().spec;
    const env = Array.from({ length: limits.envVars + 1 }, (_, i) => ({ name: `V${i}`, value: '' }));
    const batch = (spec: FunctionSpec): Uint8Array =>
      encodeSpecBatch({
        fence: FENCE,
        prevSpecIndex: 0,
        specIndex: 1,
        put: [{ ...record(), spec }],
        deleted: [],
      });
    expect(() => decodeSpecBatch(batch({ ...plain, env }))).toThrow('spec.env: malformed');
    expect(decodeSpecBatch(batch({ ...plain, env: env.slice(1) })).put[0]?.spec.env).toEqual(env.slice(1));
  });
});

describe('a programmer’s error', () => {
  it('is to encode more than fits', () => {
    const put = Array.from({ length: 9 }, (_, i) => {
      const plain = record({ uid: i + 1 });
      return { ...plain, spec: { ...plain.spec, entry: 'x'.repeat(65_536) } };
    });
    const batch = { fence: FENCE, prevSpecIndex: 0, specIndex: 1, put, deleted: [] };
    expect(() => encodeSpecBatch(batch)).toThrow('over the limit');
    const requestId = { base: 0, nonce: 'n' };
    const spec = { ...record().spec, entry: 'x'.repeat(limits.commandBytes) };
    expect(() => encodeMetadataCommand({ kind: 'put-function', requestId, spec, ifGeneration: 0 })).toThrow(
      'a command is bounded',
    );
  });
});
