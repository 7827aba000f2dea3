/**
 * What the files of a replica's directory say, and whether they can be believed. Reading changes nothing.
 *
 *   - a segment begins with everything that was kept, so that what is older than the last whole beginning does not count;
 *   - a torn tail was never acknowledged, and goes; one that is shorter than its mark was (log-file.ts, F5);
 *   - anything else that fails its checksum is damage.
 */
import { join } from 'node:path';
import { clusterId, replicaId } from '../../lib/ids.ts';
import type { Files } from '../../ports/files.ts';
import type { HardState, StoredEntry, StoredSnapshot, StoreIdentity } from '../../ports/log-store.ts';
import * as wire from '../../wire/gen/baton/v1/raft.ts';
import { scanSegment, unseal, type SegmentScan } from './records.ts';

export const SLOTS = ['hard-0', 'hard-1'] as const;
export type Slot = (typeof SLOTS)[number];

/** Where the log goes on. */
export interface LogEnd {
  readonly segment: number;
  readonly bytes: number;
  /** Of the record that the segment begins with. */
  readonly keptBytes: number;
  readonly chain: number;
  readonly tornBytes: number;
}

export interface StoredDirectory {
  readonly identity: StoreIdentity;
  readonly hardState: HardState;
  readonly hardSeq: number;
  /**
   * To be written anew first: a crash takes the one that is being written, and the other must be on the disk then. That is the one
   * that was written before the last, whose sync has returned; what was written last may be in the page cache alone.
   */
  readonly weakSlot: Slot;
  readonly snapshot: StoredSnapshot | undefined;
  readonly entries: StoredEntry[];
  readonly end: LogEnd;
  /**
   * It is to be written anew: a crash left it with what its snapshot has overtaken, with half a beginning, or with records that
   * nobody called durable (F6).
   */
  readonly isStale: boolean;
}

/** Names of the store's own files that are there. */
export function ownFiles(files: Files, directory: string): string[] {
  return files.list(directory).filter((name) => /^(identity|hard-[01]|snapshot|mark|log-\d+)$/.test(name));
}

export function segmentsOf(files: Files, directory: string): number[] {
  return files
    .list(directory)
    .map((name) => /^log-(\d+)$/.exec(name)?.[1])
    .filter((text) => text !== undefined)
    .map(Number)
    .sort((a, b) => a - b);
}

/** A text says what is damaged. */
export function readDirectory(files: Files, directory: string): StoredDirectory | string {
  const read = (name: string): Buffer | undefined => files.read(join(directory, name));
  const identity = readIdentity(read('identity'));
  if (identity === undefined) return 'identity';
  const hard = readHardState(read);
  if (hard === undefined) return 'hard-0 and hard-1';
  const snapshot = readSnapshot(read('snapshot'));
  if (snapshot === 'damaged') return 'snapshot';
  const log = readLog(segmentsOf(files, directory), read);
  if (typeof log === 'string') return log;

  const base = snapshot?.index ?? 0;
  const replayed = log.entries.length;
  let { entries } = log;
  const atBase = entries.find((entry) => entry.index === base);
  // A tail of another history than the snapshot's.
  if (atBase !== undefined && atBase.term !== snapshot?.term) entries = [];
  entries = entries.filter((entry) => entry.index > base);
  // F2: a lost slot is told from one that was torn before it was acknowledged.
  if ((entries.at(-1)?.term ?? 0) > hard.state.term) return 'hard-0 and hard-1';
  if (entries.length > 0 && entries[0]?.index !== base + 1) return 'log (a gap after the snapshot)';
  // Nothing is committed that was not stored: what is missing was in a snapshot, which is gone.
  if (log.commit > base + entries.length) return 'snapshot (the log says that more is committed)';
  return {
    identity,
    // F7.
    hardState: { ...hard.state, commit: log.commit },
    hardSeq: hard.seq,
    weakSlot: hard.weakSlot,
    snapshot,
    entries,
    end: log.end,
    isStale: log.isStale || entries.length < replayed,
  };
}

function readIdentity(bytes: Buffer | undefined): StoreIdentity | undefined {
  const content = bytes === undefined ? undefined : unseal(bytes);
  if (content === undefined) return undefined;
  const { cluster, replica, epoch, incarnationMs, voter, votesAboveTerm } =
    wire.StoredIdentity.decode(content);
  return {
    cluster: clusterId(cluster),
    replica: replicaId(replica),
    epoch,
    incarnationMs,
    voter,
    votesAboveTerm,
  };
}

interface ReadSlot {
  readonly slot: Slot;
  readonly seq: number;
  readonly state: HardState;
}

/** F2: the whole slot with the higher sequence wins; one that is torn or rotten has its value in the other. */
function readHardState(
  read: (name: Slot) => Buffer | undefined,
): (ReadSlot & { readonly weakSlot: Slot }) | undefined {
  const whole = SLOTS.map((slot) => readSlot(slot, read(slot))).filter((one) => one !== undefined);
  const last = whole.reduce<ReadSlot | undefined>(
    (best, one) => (best === undefined || one.seq >= best.seq ? one : best),
    undefined,
  );
  if (last === undefined) return undefined;
  const torn = SLOTS.find((slot) => whole.every((one) => one.slot !== slot));
  return { ...last, weakSlot: torn ?? last.slot };
}

/** Undefined: it is not there, or not whole. */
function readSlot(slot: Slot, bytes: Buffer | undefined): ReadSlot | undefined {
  const content = bytes === undefined ? undefined : unseal(bytes);
  if (content === undefined) return undefined;
  const { term, vote, commit } = wire.StoredHardState.decode(content.subarray(4));
  return { slot, seq: Buffer.from(content).readUInt32LE(0), state: { term, vote, commit } };
}

function readSnapshot(bytes: Buffer | undefined): StoredSnapshot | 'damaged' | undefined {
  if (bytes === undefined) return undefined;
  const content = unseal(bytes);
  if (content === undefined) return 'damaged';
  const view = Buffer.from(content.buffer, content.byteOffset, content.length);
  const index = Number(view.readBigUInt64LE(0));
  const term = Number(view.readBigUInt64LE(8));
  return { index, term, data: content.subarray(16) };
}

/** F5. Undefined: there is none, or it was torn. */
function readMark(bytes: Buffer | undefined): { segment: number; bytes: number } | undefined {
  const content = bytes === undefined ? undefined : unseal(bytes);
  if (content === undefined) return undefined;
  const view = Buffer.from(content);
  return { segment: view.readUInt32LE(0), bytes: Number(view.readBigUInt64LE(4)) };
}

interface ReadLog {
  readonly entries: StoredEntry[];
  readonly commit: number;
  readonly end: LogEnd;
  readonly isStale: boolean;
}

function readLog(segments: readonly number[], read: (name: string) => Buffer | undefined): ReadLog | string {
  const mark = readMark(read('mark'));
  const newest = segments.at(-1);
  if (newest === undefined) return 'log';
  if (mark !== undefined && mark.segment > newest) return `log-${mark.segment}`;
  const scans = segments.map((segment) => {
    const bytes = read(`log-${segment}`) ?? Buffer.alloc(0);
    return { segment, bytes, ...scanSegment(bytes, segment) };
  });
  const first = scans.findLastIndex(beginsLog);
  // A segment's beginning is durable before anything older is removed: without one there is nothing to begin from.
  if (first < 0) return `log-${segments[0] ?? newest}`;
  // Behind it there can be the torn beginning of the next.
  const [begun, ...later] = scans.slice(first);
  if (begun === undefined) return 'log';
  for (const { segment, state, payloads } of [begun, ...later])
    if (state === 'damaged' || (segment !== begun.segment && payloads.length > 0)) return `log-${segment}`;
  const markedBytes = begun.segment === mark?.segment ? mark.bytes : 0;
  if (begun.goodBytes < markedBytes) return `log-${begun.segment} (cut)`;

  let entries: StoredEntry[] = [];
  let commit = 0;
  for (const payload of begun.payloads) {
    const record = wire.StoredEntries.decode(payload);
    entries = merged(record.reset ? [] : entries, record.entries);
    commit = Math.max(commit, record.commit);
  }
  return {
    entries,
    commit,
    isStale: later.length > 0 || begun.goodBytes > markedBytes,
    end: {
      segment: newest,
      bytes: begun.goodBytes,
      keptBytes: begun.payloads[0]?.length ?? 0,
      chain: begun.chain,
      tornBytes:
        begun.bytes.length - begun.goodBytes + later.reduce((sum, { bytes }) => sum + bytes.length, 0),
    },
  };
}

function beginsLog({ payloads: [payload] }: SegmentScan): boolean {
  return payload !== undefined && wire.StoredEntries.decode(payload).reset;
}

/** `log` with everything from the first new entry on replaced, in place. */
export function merged(log: StoredEntry[], added: readonly StoredEntry[]): StoredEntry[] {
  const first = added[0];
  if (first === undefined) return log;
  const base = log[0]?.index ?? first.index;
  // What is before a gap is below a snapshot.
  const kept = first.index - base > log.length ? [] : log;
  kept.length = Math.min(kept.length, Math.max(0, first.index - base));
  for (const { index, term, data } of added) kept.push({ index, term, data });
  return kept;
}
