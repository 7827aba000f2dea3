/**
 * A replica's Raft state in files.
 *
 *   identity        who this directory belongs to
 *   hard-0, hard-1  term and vote, the same in both
 *   snapshot        the state at one index
 *   log-<n>         segments of chained records (records.ts); a record replaces everything from its first index on
 *   mark            how much of which segment was durable when that was said last; written behind, never synced
 *
 *   F1  `save` resolves only after fdatasync of everything in the batch, in the order of the calls;
 *   F2  term and vote are durable before any entry of that term is, in two slots one after the other: no crash and no single
 *       damage takes both;
 *   F3  after one failed write or fsync nothing is written any more: the state of the page cache is unknown;
 *   F4  a torn tail of the last segment is cut, anything else that fails its checksum is reported as damage, and the files
 *       of a damaged directory are kept aside, never edited;
 *   F5  a log that is shorter than its mark was cut after it was acknowledged: damage, not a torn tail;
 *   F6  what a process that was killed left in the page cache is made durable before anything is promised from it. An fsync does
 *       not do that: where the one before it failed, pages count as written that are not on the disk. So the slots, and a log that
 *       goes beyond its mark, are written anew (Rebello et al., Can Applications Recover from fsync Failures?, ATC '20);
 *   F7  the commit index is the one in the log's records, beside the entries that it vouches for. The slots are written before
 *       those: after a crash in between, theirs would vouch for the entries that were about to be replaced.
 */
import { join } from 'node:path';
import { assert } from '../../lib/assert.ts';
import { BatonError } from '../../lib/errors.ts';
import type { Files, OpenFile } from '../../ports/files.ts';
import type {
  HardState,
  LogStore,
  OpenedStore,
  SaveBatch,
  StoredEntry,
  StoredSnapshot,
  StoreIdentity,
} from '../../ports/log-store.ts';
import * as wire from '../../wire/gen/baton/v1/raft.ts';
import { writeDurably } from '../system/durable-file.ts';
import { nodeFiles } from '../system/node-files.ts';
import {
  merged,
  ownFiles,
  readDirectory,
  segmentsOf,
  SLOTS,
  type Slot,
  type StoredDirectory,
} from './read-directory.ts';
import { chainSeed, encodeRecord, seal, Sealing } from './records.ts';

/** What is checksummed and written at once of a snapshot: a fraction of a millisecond. */
const PIECE_BYTES = 128 * 1024;
const NEXT_SNAPSHOT = 'snapshot.next';
const SEGMENT_BYTES = 8 * 1024 * 1024;

interface Pending {
  readonly batch: SaveBatch;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class FileLogStore implements LogStore {
  readonly #directory: string;
  readonly #files: Files;
  #unlock: (() => void) | undefined;
  #file: OpenFile | undefined;
  #mark: OpenFile | undefined;
  #segment = 0;
  #segmentBytes = 0;
  /** Of the record that the segment begins with: everything that was kept. */
  #keptBytes = 0;
  #chain = 0;
  #hardSeq = 0;
  #hard: HardState = { term: 0, vote: '', commit: 0 };
  #entries: StoredEntry[] = [];
  #snapshot: StoredSnapshot | undefined;
  #queue: Pending[] = [];
  #between: (() => Promise<void>)[] = [];
  #compactions: Promise<void> = Promise.resolve();
  #tail: Promise<void> = Promise.resolve();
  #identities: Promise<void> = Promise.resolve();
  #draining = false;
  #failed: Error | undefined;

  constructor(directory: string, files: Files = nodeFiles) {
    this.#directory = directory;
    this.#files = files;
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }

  async open(): Promise<OpenedStore> {
    if (!this.#files.exists(this.#directory)) return { kind: 'empty' };
    this.#unlock ??= this.#files.lock(this.#path('lock'));
    if (ownFiles(this.#files, this.#directory).length === 0) return { kind: 'empty' };
    const found = readDirectory(this.#files, this.#directory);
    if (typeof found === 'string') return { kind: 'damaged', what: found };
    const { identity, hardState, snapshot, entries, end } = found;
    this.#hard = hardState;
    this.#hardSeq = found.hardSeq;
    this.#snapshot = snapshot;
    this.#entries = entries;
    this.#segment = end.segment;
    this.#segmentBytes = end.bytes;
    this.#keptBytes = end.keptBytes;
    this.#chain = end.chain;
    await this.#guard(() => this.#settle(found));
    return {
      kind: 'ready',
      identity,
      hardState,
      snapshot,
      entries: entries.slice(),
      tornBytes: end.tornBytes,
    };
  }

  /** F6. The slots are written anew also because one of them may be torn, or older, and so is a log that was left half rewritten. */
  async #settle({ isStale, weakSlot, end }: StoredDirectory): Promise<void> {
    await this.#writeHardState(this.#hard, weakSlot === SLOTS[0] ? SLOTS : SLOTS.toReversed());
    if (isStale) {
      await this.#rewriteLog();
      return this.#writeMark();
    }
    const path = this.#path(`log-${this.#segment}`);
    if (end.tornBytes > 0) await this.#files.truncate(path, this.#segmentBytes);
    this.#file = await this.#files.open(path, 'append');
    await this.#file.datasync();
    const segments = segmentsOf(this.#files, this.#directory);
    await this.#removeSegments(segments.filter((segment) => segment < this.#segment));
  }

  async #writeMark(): Promise<void> {
    const view = Buffer.alloc(12);
    view.writeUInt32LE(this.#segment, 0);
    view.writeBigUInt64LE(BigInt(this.#segmentBytes), 4);
    const path = this.#path('mark');
    this.#mark ??= await this.#files.open(path, this.#files.exists(path) ? 'overwrite' : 'create');
    await this.#mark.write(seal(view), 0);
  }

  async create(identity: StoreIdentity): Promise<void> {
    this.#files.makeFolder(this.#directory);
    this.#unlock ??= this.#files.lock(this.#path('lock'));
    await this.#setAside();
    this.#hard = { term: 0, vote: '', commit: 0 };
    this.#hardSeq = 0;
    this.#entries = [];
    this.#snapshot = undefined;
    await this.#writeHardState(this.#hard);
    await this.#beginSegment(1);
    await this.#writeMark();
    // Last: a directory without an identity is not a replica's yet.
    await this.setIdentity(identity);
  }

  /** F4: what was here is evidence. */
  async #setAside(): Promise<void> {
    await this.#closeFiles();
    const names = ownFiles(this.#files, this.#directory);
    if (names.length === 0) return;
    let number = 1;
    while (this.#files.exists(this.#path(`damaged-${number}`))) number++;
    const aside = this.#path(`damaged-${number}`);
    this.#files.makeFolder(aside);
    for (const name of names) await this.#files.rename(this.#path(name), join(aside, name));
  }

  /** One after the other: they write beside the same file. */
  setIdentity(identity: StoreIdentity): Promise<void> {
    const bytes = seal(wire.StoredIdentity.encode(identity).finish());
    const done = this.#identities.then(() =>
      this.#guard(() => writeDurably(this.#path('identity'), bytes, this.#files)),
    );
    this.#identities = done.catch(() => undefined);
    return done;
  }

  save(batch: SaveBatch): Promise<void> {
    if (this.#failed !== undefined) return Promise.reject(this.#failed);
    return new Promise((resolve, reject) => {
      this.#queue.push({ batch, resolve, reject });
      this.#kick();
    });
  }

  /** However many saves wait, it comes next. */
  #betweenSaves(work: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#between.push(() => this.#guard(work).then(resolve, reject));
      this.#kick();
    });
  }

  #kick(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#tail = this.#tail.then(() => this.#drain());
  }

  /** What arrived while an fsync ran becomes one write. */
  async #drain(): Promise<void> {
    while (this.#queue.length + this.#between.length > 0) {
      for (const work of this.#between.splice(0)) await work();
      const group = this.#queue;
      this.#queue = [];
      if (group.length === 0) continue;
      try {
        await this.#guard(() => this.#write(group.map(({ batch }) => batch)));
        for (const { resolve } of group) resolve();
        await this.#guard(() => this.#writeMark());
      } catch (error) {
        for (const { reject } of [...group, ...this.#queue]) reject(error as Error);
        this.#queue = [];
      }
    }
    this.#draining = false;
  }

  async #guard(work: () => Promise<void>): Promise<void> {
    if (this.#failed !== undefined) throw this.#failed;
    try {
      await work();
    } catch (cause) {
      this.#failed = new BatonError('io', 'the log store failed and writes nothing more', { cause });
      throw this.#failed;
    }
  }

  async #write(batches: readonly SaveBatch[]): Promise<void> {
    let dirty = false;
    // One write for all of them: a record each, so that a torn one costs nothing that came before it.
    const records: Buffer[] = [];
    const writeRecords = async (): Promise<void> => {
      if (records.length > 0) await this.#writeOut(Buffer.concat(records.splice(0)));
    };
    for (const { hardState, entries, snapshot } of batches) {
      if (
        hardState !== undefined &&
        (hardState.term !== this.#hard.term || hardState.vote !== this.#hard.vote)
      ) {
        // F2. Entries of an earlier batch are written and flushed at the end; they are of an older term.
        await this.#writeHardState(hardState);
      }
      if (hardState !== undefined) this.#hard = hardState;
      if (snapshot !== undefined) {
        await writeRecords();
        this.#entries = [];
        await this.#replaceLog(snapshot);
        dirty = false;
      }
      if (entries.length > 0) {
        records.push(this.#encode(entries, false));
        this.#entries = merged(this.#entries, entries);
        dirty = true;
      }
    }
    if (!dirty) return;
    await writeRecords();
    await this.#file?.datasync();
    // As much again as was kept, so that a long log is not written anew with every batch.
    if (this.#segmentBytes > SEGMENT_BYTES + 2 * this.#keptBytes) await this.#rewriteLog();
  }

  /** The next record of the chain; whoever asks for it writes it. */
  #encode(entries: readonly StoredEntry[], reset: boolean): Buffer {
    // What a segment begins with vouches for nothing that comes after it: power may go in between.
    const held = (this.#snapshot?.index ?? 0) + entries.length;
    const commit = reset ? Math.min(this.#hard.commit, held) : this.#hard.commit;
    const payload = wire.StoredEntries.encode({ entries, commit, reset }).finish();
    const record = encodeRecord(payload, this.#chain);
    this.#chain = record.chain;
    return record.bytes;
  }

  async #writeOut(bytes: Buffer): Promise<void> {
    assert(this.#file !== undefined, 'an open store has a segment');
    await this.#file.write(bytes);
    this.#segmentBytes += bytes.length;
  }

  /** F2: one slot after the other, so that no crash and no single damage takes both. */
  async #writeHardState(hard: HardState, slots: readonly Slot[] = SLOTS): Promise<void> {
    const state = wire.StoredHardState.encode(hard).finish();
    this.#hardSeq++;
    for (const slot of slots) {
      const path = this.#path(slot);
      // Two that are alike were written in their own order; in the other, the later one says that it is.
      if (slots !== SLOTS && slot === SLOTS[0]) this.#hardSeq++;
      const isNew = !this.#files.exists(path);
      const head = Buffer.alloc(4);
      head.writeUInt32LE(this.#hardSeq);
      const content = seal(Buffer.concat([head, state]));
      const file = await this.#files.open(path, isNew ? 'create' : 'overwrite');
      try {
        await file.write(content, 0);
        await file.datasync();
      } finally {
        await file.close();
      }
      if (isNew) await this.#files.syncFolder(this.#directory);
    }
  }

  async #beginSegment(segment: number): Promise<void> {
    await this.#file?.close();
    this.#file = await this.#files.open(this.#path(`log-${segment}`), 'create');
    this.#segment = segment;
    this.#segmentBytes = 0;
    this.#chain = chainSeed(segment);
    await this.#writeOut(this.#encode(this.#entries, true));
    this.#keptBytes = this.#segmentBytes;
    await this.#file.datasync();
    await this.#files.syncFolder(this.#directory);
  }

  /** A fresh segment that begins with everything kept; the older ones go once it is durable. */
  async #rewriteLog(): Promise<void> {
    const old = segmentsOf(this.#files, this.#directory);
    await this.#beginSegment(this.#segment + 1);
    await this.#removeSegments(old);
  }

  /** For good: one that came back with the power would be believed where a newer one is lost. */
  async #removeSegments(segments: readonly number[]): Promise<void> {
    for (const segment of segments) await this.#files.remove(this.#path(`log-${segment}`));
    await this.#files.syncFolder(this.#directory);
  }

  async #replaceLog(snapshot: StoredSnapshot): Promise<void> {
    await this.#writeSnapshot('snapshot.tmp', snapshot);
    await this.#adoptSnapshot('snapshot.tmp', snapshot);
  }

  /** Piece by piece, so that a large one holds nobody up. */
  async #writeSnapshot(name: string, { index, term, data }: StoredSnapshot): Promise<void> {
    const head = Buffer.alloc(16);
    head.writeBigUInt64LE(BigInt(index), 0);
    head.writeBigUInt64LE(BigInt(term), 8);
    const pieces: Uint8Array[] = [head];
    for (let at = 0; at < data.length; at += PIECE_BYTES) pieces.push(data.subarray(at, at + PIECE_BYTES));
    const file = await this.#files.open(this.#path(name), 'create');
    try {
      const sealing = new Sealing(head.length + data.length);
      let at = Sealing.BYTES;
      for (const piece of pieces) {
        sealing.add(piece);
        await file.write(piece, at);
        at += piece.length;
      }
      await file.write(sealing.head(), 0);
      await file.datasync();
    } finally {
      await file.close();
    }
  }

  async #adoptSnapshot(name: string, snapshot: StoredSnapshot): Promise<void> {
    await this.#files.rename(this.#path(name), this.#path('snapshot'));
    await this.#files.syncFolder(this.#directory);
    this.#snapshot = snapshot;
    await this.#rewriteLog();
  }

  /** What is saved meanwhile waits for the log's new segment alone, not for the snapshot to be written. */
  compact(snapshot: StoredSnapshot, keepFrom: number): Promise<void> {
    assert(keepFrom <= snapshot.index + 1, 'nothing above the snapshot is dropped');
    const done = this.#compactions.then(() => this.#compact(snapshot));
    this.#compactions = done.catch(() => undefined);
    return done;
  }

  async #compact(snapshot: StoredSnapshot): Promise<void> {
    const isOverdue = (): boolean => snapshot.index <= (this.#snapshot?.index ?? 0);
    if (isOverdue()) return;
    await this.#guard(() => this.#writeSnapshot(NEXT_SNAPSHOT, snapshot));
    await this.#betweenSaves(async () => {
      // A leader's snapshot may have come meanwhile.
      if (isOverdue()) return this.#files.remove(this.#path(NEXT_SNAPSHOT));
      this.#entries = this.#entries.filter((entry) => entry.index > snapshot.index);
      await this.#adoptSnapshot(NEXT_SNAPSHOT, snapshot);
    });
  }

  async #closeFiles(): Promise<void> {
    await this.#file?.close();
    await this.#mark?.close();
    this.#file = undefined;
    this.#mark = undefined;
  }

  async close(): Promise<void> {
    await this.#compactions;
    await this.#tail;
    await this.#closeFiles();
    this.#unlock?.();
    this.#unlock = undefined;
  }
}
