/**
 * A replica's Raft state in files.
 *
 *   identity        who this directory belongs to
 *   hard-0, hard-1  term and vote, written in turn, so that one is always whole
 *   snapshot        the state at one index
 *   log-<n>         segments of chained records (records.ts); a record replaces everything from its first index on
 *
 *   F1  `save` resolves only after fdatasync of everything in the batch, in the order of the calls;
 *   F2  term and vote are durable before any entry of that term is;
 *   F3  after one failed write or fsync nothing is written any more: the state of the page cache is unknown;
 *   F4  a torn tail of the last segment is cut, anything else that fails its checksum is reported as damage, and the files
 *       of a damaged directory are kept aside, never edited.
 */
import { existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { mkdir, open, rm, truncate, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '../../lib/assert.ts';
import { BatonError } from '../../lib/errors.ts';
import { clusterId, replicaId } from '../../lib/ids.ts';
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
import { readIfThere, syncFolder, writeDurably } from '../system/durable-file.ts';
import { lockDirectory } from './lock.ts';
import { chainSeed, encodeRecord, scanSegment, seal, unseal } from './records.ts';

const SEGMENT_BYTES = 8 * 1024 * 1024;

interface Pending {
  readonly batch: SaveBatch;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class FileLogStore implements LogStore {
  readonly #directory: string;
  #unlock: (() => void) | undefined;
  #file: FileHandle | undefined;
  #segment = 0;
  #segmentBytes = 0;
  /** Of the record that the segment begins with: everything that was kept. */
  #keptBytes = 0;
  #chain = 0;
  #hardTurn = 0;
  #hardSeq = 0;
  #hard: HardState = { term: 0, vote: '', commit: 0 };
  #entries: StoredEntry[] = [];
  #snapshot: StoredSnapshot | undefined;
  #queue: Pending[] = [];
  #tail: Promise<void> = Promise.resolve();
  #draining = false;
  #failed: Error | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }

  #segments(): number[] {
    return readdirSync(this.#directory)
      .map((name) => /^log-(\d+)$/.exec(name)?.[1])
      .filter((text) => text !== undefined)
      .map(Number)
      .sort((a, b) => a - b);
  }

  async open(): Promise<OpenedStore> {
    if (!existsSync(this.#directory)) return { kind: 'empty' };
    this.#unlock ??= lockDirectory(this.#path('lock'));
    const names = readdirSync(this.#directory).filter((name) =>
      /^(identity|hard-[01]|snapshot|log-\d+)$/.test(name),
    );
    if (names.length === 0) return { kind: 'empty' };
    const identity = this.#readIdentity();
    if (identity === undefined) return { kind: 'damaged', what: 'identity' };
    if (!this.#readHardState()) return { kind: 'damaged', what: 'hard-0 and hard-1' };
    if (!this.#readSnapshot()) return { kind: 'damaged', what: 'snapshot' };
    const log = await this.#readSegments();
    if (typeof log === 'string') return { kind: 'damaged', what: log };
    return {
      kind: 'ready',
      identity,
      hardState: this.#hard,
      snapshot: this.#snapshot,
      entries: this.#entries.slice(),
      tornBytes: log,
    };
  }

  #readIdentity(): StoreIdentity | undefined {
    const bytes = readIfThere(this.#path('identity'));
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

  /** The whole slot with the higher sequence wins; a torn one is the one that was being written and never acknowledged. */
  #readHardState(): boolean {
    for (const slot of [0, 1]) {
      const bytes = readIfThere(this.#path(`hard-${slot}`));
      const content = bytes === undefined ? undefined : unseal(bytes);
      if (content === undefined) continue;
      const seq = Buffer.from(content).readUInt32LE(0);
      if (seq <= this.#hardSeq) continue;
      const { term, vote, commit } = wire.StoredHardState.decode(content.subarray(4));
      this.#hardSeq = seq;
      this.#hardTurn = slot;
      this.#hard = { term, vote, commit };
    }
    return this.#hardSeq > 0;
  }

  #readSnapshot(): boolean {
    const bytes = readIfThere(this.#path('snapshot'));
    if (bytes === undefined) return true;
    const content = unseal(bytes);
    if (content === undefined) return false;
    const view = Buffer.from(content.buffer, content.byteOffset, content.length);
    const index = Number(view.readBigUInt64LE(0));
    const term = Number(view.readBigUInt64LE(8));
    this.#snapshot = { index, term, data: content.subarray(16) };
    return true;
  }

  /** Torn bytes that were cut, or what is damaged. */
  async #readSegments(): Promise<number | string> {
    const segments = this.#segments();
    let torn = 0;
    for (const [i, segment] of segments.entries()) {
      const isLast = i === segments.length - 1;
      const bytes = readIfThere(this.#path(`log-${segment}`)) ?? Buffer.alloc(0);
      const scan = scanSegment(bytes, segment);
      if (scan.state === 'damaged' || (scan.state === 'torn' && !isLast)) return `log-${segment}`;
      // A segment's first record is durable before anything older is removed: without it there is nothing to begin from.
      if (segments.length === 1 && scan.payloads.length === 0) return `log-${segment}`;
      for (const payload of scan.payloads) this.#replay(wire.StoredEntries.decode(payload));
      if (!isLast) continue;
      torn = bytes.length - scan.goodBytes;
      if (torn > 0) await truncate(this.#path(`log-${segment}`), scan.goodBytes);
      this.#segment = segment;
      this.#segmentBytes = scan.goodBytes;
      this.#keptBytes = scan.payloads[0]?.length ?? 0;
      this.#chain = scan.chain;
      this.#file = await open(this.#path(`log-${segment}`), 'a');
      if (torn > 0) await this.#file.sync();
    }
    const base = this.#snapshot?.index ?? 0;
    // A crash between a leader's snapshot and the log's rewrite left a tail that does not follow from the snapshot.
    const atBase = this.#entries.find((entry) => entry.index === base);
    if (atBase !== undefined && atBase.term !== this.#snapshot?.term) this.#entries = [];
    this.#entries = this.#entries.filter((entry) => entry.index > base);
    if (this.#file === undefined) return 'log';
    // F2: a lost slot is told from one that was torn before it was acknowledged.
    if ((this.#entries.at(-1)?.term ?? 0) > this.#hard.term) return 'hard-0 and hard-1';
    if (this.#entries.length > 0 && this.#entries[0]?.index !== base + 1)
      return 'log (a gap after the snapshot)';
    return torn;
  }

  #replay(record: wire.StoredEntries): void {
    if (record.reset) this.#entries = [];
    this.#merge(record.entries);
    this.#hard = { ...this.#hard, commit: Math.max(this.#hard.commit, record.commit) };
  }

  #merge(entries: readonly StoredEntry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    const base = this.#entries[0]?.index ?? first.index;
    if (first.index - base < this.#entries.length) this.#entries.length = Math.max(0, first.index - base);
    for (const { index, term, data } of entries) this.#entries.push({ index, term, data });
  }

  async create(identity: StoreIdentity): Promise<void> {
    mkdirSync(this.#directory, { recursive: true });
    this.#unlock ??= lockDirectory(this.#path('lock'));
    await this.#setAside();
    this.#hard = { term: 0, vote: '', commit: 0 };
    this.#hardSeq = 0;
    this.#entries = [];
    this.#snapshot = undefined;
    await this.#writeHardState(this.#hard);
    await this.#beginSegment(1);
    // Last: a directory without an identity is not a replica's yet.
    await this.setIdentity(identity);
  }

  /** F4: what was here is evidence. */
  async #setAside(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    const names = readdirSync(this.#directory).filter((name) =>
      /^(identity|hard-[01]|snapshot|log-\d+)$/.test(name),
    );
    if (names.length === 0) return;
    const aside = this.#path(`damaged-${Date.now()}`);
    await mkdir(aside);
    for (const name of names) renameSync(this.#path(name), join(aside, name));
  }

  async setIdentity(identity: StoreIdentity): Promise<void> {
    await this.#guard(() =>
      writeDurably(this.#path('identity'), seal(wire.StoredIdentity.encode(identity).finish())),
    );
  }

  save(batch: SaveBatch): Promise<void> {
    if (this.#failed !== undefined) return Promise.reject(this.#failed);
    return new Promise((resolve, reject) => {
      this.#queue.push({ batch, resolve, reject });
      if (!this.#draining) {
        this.#draining = true;
        this.#tail = this.#tail.then(() => this.#drain());
      }
    });
  }

  /** What arrived while an fsync ran becomes one write. */
  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const group = this.#queue;
      this.#queue = [];
      try {
        await this.#guard(() => this.#write(group.map(({ batch }) => batch)));
        for (const { resolve } of group) resolve();
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
    for (const { hardState, entries, snapshot } of batches) {
      if (
        hardState !== undefined &&
        (hardState.term !== this.#hard.term || hardState.vote !== this.#hard.vote)
      ) {
        // F2. Entries of an earlier batch are flushed by the fdatasync at the end; they are of an older term.
        await this.#writeHardState(hardState);
      }
      if (hardState !== undefined) this.#hard = hardState;
      if (snapshot !== undefined) {
        this.#entries = [];
        await this.#replaceLog(snapshot);
        dirty = false;
      }
      if (entries.length > 0) {
        await this.#append(entries, false);
        dirty = true;
      }
    }
    if (!dirty) return;
    await this.#file?.datasync();
    // As much again as was kept, so that a long log is not written anew with every batch.
    if (this.#segmentBytes > SEGMENT_BYTES + 2 * this.#keptBytes) await this.#rewriteLog();
  }

  async #append(entries: readonly StoredEntry[], reset: boolean): Promise<void> {
    const payload = wire.StoredEntries.encode({ entries, commit: this.#hard.commit, reset }).finish();
    const record = encodeRecord(payload, this.#chain);
    assert(this.#file !== undefined, 'an open store has a segment');
    await this.#file.writeFile(record.bytes);
    this.#chain = record.chain;
    this.#segmentBytes += record.bytes.length;
    if (!reset) this.#merge(entries);
  }

  async #writeHardState(hard: HardState): Promise<void> {
    const slot = 1 - this.#hardTurn;
    const head = Buffer.alloc(4);
    head.writeUInt32LE(this.#hardSeq + 1);
    const content = Buffer.concat([head, wire.StoredHardState.encode(hard).finish()]);
    const path = this.#path(`hard-${slot}`);
    const isNew = !existsSync(path);
    const file = await open(path, isNew ? 'w' : 'r+');
    try {
      await file.write(seal(content), 0, undefined, 0);
      await file.datasync();
    } finally {
      await file.close();
    }
    if (isNew) await syncFolder(this.#directory);
    this.#hardSeq++;
    this.#hardTurn = slot;
  }

  async #beginSegment(segment: number): Promise<void> {
    await this.#file?.close();
    this.#file = await open(this.#path(`log-${segment}`), 'w');
    this.#segment = segment;
    this.#segmentBytes = 0;
    this.#chain = chainSeed(segment);
    await this.#append(this.#entries, true);
    this.#keptBytes = this.#segmentBytes;
    await this.#file.sync();
    await syncFolder(this.#directory);
  }

  /** A fresh segment that begins with everything kept; the older ones go once it is durable. */
  async #rewriteLog(): Promise<void> {
    const old = this.#segments();
    await this.#beginSegment(this.#segment + 1);
    for (const segment of old) await rm(this.#path(`log-${segment}`));
  }

  async #replaceLog(snapshot: StoredSnapshot): Promise<void> {
    const head = Buffer.alloc(16);
    head.writeBigUInt64LE(BigInt(snapshot.index), 0);
    head.writeBigUInt64LE(BigInt(snapshot.term), 8);
    await writeDurably(this.#path('snapshot'), seal(Buffer.concat([head, snapshot.data])));
    this.#snapshot = snapshot;
    await this.#rewriteLog();
  }

  compact(snapshot: StoredSnapshot, keepFrom: number): Promise<void> {
    const done = this.#tail.then(() =>
      this.#guard(async () => {
        if (snapshot.index <= (this.#snapshot?.index ?? 0)) return;
        assert(keepFrom <= snapshot.index + 1, 'nothing above the snapshot is dropped');
        this.#entries = this.#entries.filter((entry) => entry.index > snapshot.index);
        await this.#replaceLog(snapshot);
      }),
    );
    this.#tail = done.catch(() => undefined);
    return done;
  }

  async close(): Promise<void> {
    await this.#tail;
    await this.#file?.close();
    this.#file = undefined;
    this.#unlock?.();
    this.#unlock = undefined;
  }
}
