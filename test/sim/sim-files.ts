/**
 * A disk under virtual time, with the page cache before it. A write is in the cache at once and on the disk after its file's
 * sync; a crash in between keeps any prefix of what was written to a file, cut at any byte, and any prefix of what was done to
 * names, as a journal does. Files are independent of one another: the order between two of them is nobody's promise.
 */
import { basename, dirname } from 'node:path';
import type { Prng } from '../../src/lib/prng.ts';
import { BatonError } from '../../src/lib/errors.ts';
import type { Files, OpenFile } from '../../src/ports/files.ts';
import type { SimProcess } from './process.ts';

/** What a full disk says. */
export const NO_SPACE = 'no space left on device';
/** What a disk says that could not write. */
export const BAD_DISK = 'input/output error';

type Edit =
  | { readonly kind: 'write'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly length: number };

type NameChange =
  | { readonly kind: 'create'; readonly path: string; readonly file: Inode }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  | { readonly kind: 'remove'; readonly path: string };

/** Bytes that grow. */
class Content {
  #bytes: Buffer = Buffer.alloc(0);
  length = 0;

  apply(edit: Edit): void {
    if (edit.kind === 'truncate') {
      this.length = Math.min(this.length, edit.length);
      return;
    }
    const end = edit.at + edit.bytes.length;
    if (end > this.#bytes.length) {
      const grown = Buffer.alloc(Math.max(end, 2 * this.#bytes.length, 256));
      grown.set(this.#bytes.subarray(0, this.length));
      this.#bytes = grown;
    }
    if (edit.at > this.length) this.#bytes.fill(0, this.length, edit.at);
    this.#bytes.set(edit.bytes, edit.at);
    this.length = Math.max(this.length, end);
  }

  copy(): Content {
    const copy = new Content();
    copy.#bytes = this.read();
    copy.length = this.length;
    return copy;
  }

  read(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.length));
  }

  flip(at: number, mask: number): void {
    this.#bytes[at] = (this.#bytes[at] ?? 0) ^ mask;
  }
}

/** A file: what is on the disk, and the pages in memory that processes read. */
class Inode {
  #disk = new Content();
  #cache = new Content();
  /** In the cache, and to be written by the next sync. */
  edits: Edit[] = [];

  /** As a process sees it. */
  get length(): number {
    return this.#cache.length;
  }

  get durableLength(): number {
    return this.#disk.length;
  }

  edit(edit: Edit): void {
    this.edits.push(edit);
    this.#cache.apply(edit);
  }

  /** The first `count` edits are on the disk; of the one behind them, `torn` bytes. */
  commit(count: number, torn = 0): void {
    for (const edit of this.edits.slice(0, count)) this.#disk.apply(edit);
    const next = this.edits[count];
    if (torn > 0 && next?.kind === 'write')
      this.#disk.apply({ ...next, bytes: next.bytes.subarray(0, torn) });
    this.edits = this.edits.slice(count);
  }

  /**
   * A sync that failed: of the first `count` edits `kept` are on the disk, the others in the cache alone, in pages that count as
   * written. No later sync writes them, and whoever reads the file finds them there until the machine loses power.
   */
  lose(count: number, kept: number): void {
    for (const edit of this.edits.slice(0, kept)) this.#disk.apply(edit);
    this.edits = this.edits.slice(count);
  }

  /** The cache is lost. */
  forget(): void {
    this.edits = [];
    this.#cache = this.#disk.copy();
  }

  read(): Buffer {
    return this.#cache.read();
  }

  /** On the disk, and in the page that was read from it. */
  flip(at: number, mask: number): void {
    this.#disk.flip(at, mask);
    this.#cache.flip(at, mask);
  }
}

/** One machine's disk; outlives its processes. */
export class SimDrive {
  /** As processes see them. */
  names: Map<string, Inode> = new Map();
  #durableNames: Map<string, Inode> = new Map();
  #changes: NameChange[] = [];
  /** Multiplies the time of a sync. */
  slowness = 1;
  /** Every write fails, some of them half-way. */
  full = false;
  /** The next sync of a file fails. */
  failsNextSync = false;
  /** Says "synced" at once and means "in two seconds": what every oracle must notice. */
  readonly lies: boolean;
  /** Told before a sync begins and after it has ended: a moment to lose power. */
  onSync: ((when: 'before' | 'after') => void) | undefined;
  /** A process holds the folder. */
  held = false;

  constructor(lies: boolean) {
    this.lies = lies;
  }

  change(change: NameChange): void {
    this.#changes.push(change);
    rename(this.names, change);
  }

  /** What was done to names last. */
  get lastChange(): NameChange | undefined {
    return this.#changes.at(-1);
  }

  /** Names are journaled: what is durable is everything up to some change. */
  commit(upTo: NameChange | undefined): void {
    const count = upTo === undefined ? 0 : this.#changes.indexOf(upTo) + 1;
    for (const change of this.#changes.splice(0, count)) rename(this.#durableNames, change);
  }

  /** The process is gone; two times of three the machine's power with it, and what was only in the cache. */
  crash(random: Prng): void {
    this.held = false;
    if (!this.lies && random.below(3) === 0) return;
    const keep = (count: number): number => (this.lies ? 0 : random.below(count + 1));
    this.commit(this.#changes[keep(this.#changes.length) - 1]);
    this.#changes = [];
    for (const file of new Set([...this.names.values(), ...this.#durableNames.values()])) {
      const count = keep(file.edits.length);
      const next = file.edits[count];
      const torn = next?.kind === 'write' && !this.lies ? random.below(next.bytes.length + 1) : 0;
      file.commit(count, torn);
      file.forget();
    }
    this.names = new Map(this.#durableNames);
  }

  /** Its faults are over. */
  mend(): void {
    this.slowness = 1;
    this.full = false;
    this.failsNextSync = false;
  }

  /** Everything is gone. */
  wipe(): void {
    this.names = new Map();
    this.#durableNames = new Map();
    this.#changes = [];
    this.full = false;
    this.failsNextSync = false;
  }

  /** One byte of one file rots. @returns which, for the story; undefined: there is nothing to rot */
  rot(folder: string, random: Prng): string | undefined {
    const [path, file] = this.#pick(folder, random) ?? [];
    if (path === undefined || file === undefined) return undefined;
    const at = random.below(file.durableLength);
    file.flip(at, 1 << random.below(8));
    return `${basename(path)} at byte ${at}`;
  }

  /** One file is gone. @returns which, for the story; undefined: there is none */
  lose(folder: string, random: Prng): string | undefined {
    const [path] = this.#pick(folder, random) ?? [];
    if (path === undefined) return undefined;
    this.names.delete(path);
    this.#durableNames.delete(path);
    return `all of ${basename(path)}`;
  }

  #pick(folder: string, random: Prng): readonly [string, Inode] | undefined {
    const files = [...this.#durableNames]
      .filter(([path, file]) => dirname(path) === folder && file.durableLength > 0)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    return files[random.below(Math.max(1, files.length))];
  }
}

/** A life's view of its machine's disk: nothing that it does takes effect once it is dead. */
export class SimFiles implements Files {
  readonly #drive: SimDrive;
  readonly #process: SimProcess;
  readonly #random: Prng;
  #lastMs = 0;

  constructor(drive: SimDrive, process: SimProcess, random: Prng) {
    this.#drive = drive;
    this.#process = process;
    this.#random = random;
    process.onExit(() => drive.crash(random));
  }

  /** Holds a process that is dead for good. */
  #alive<T>(value: T): Promise<T> {
    return this.#process.alive ? Promise.resolve(value) : new Promise(() => undefined);
  }

  /** In the order of the calls, as one disk has one queue. Without `lose` it cannot fail. */
  #sync(apply: () => void, lose?: () => void): Promise<void> {
    this.#drive.onSync?.('before');
    if (!this.#process.alive) return new Promise(() => undefined);
    const { clock } = this.#process;
    const takesMs =
      this.#random.float() < 0.02 ? 10 + this.#random.float() * 30 : 0.3 + this.#random.float() * 2;
    const dueMs = Math.max(clock.now() + takesMs * this.#drive.slowness, this.#lastMs);
    this.#lastMs = dueMs;
    if (this.#drive.lies) {
      clock.after(LIE_MS, apply);
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      clock.after(dueMs - clock.now(), () => {
        if (lose !== undefined && this.#drive.failsNextSync) {
          this.#drive.failsNextSync = false;
          lose();
          reject(new BatonError('io', BAD_DISK));
          return;
        }
        apply();
        this.#drive.onSync?.('after');
        if (this.#process.alive) resolve();
      });
    });
  }

  exists(path: string): boolean {
    return (
      this.#drive.names.has(path) || [...this.#drive.names.keys()].some((name) => dirname(name) === path)
    );
  }

  list(folder: string): string[] {
    return [...this.#drive.names.keys()]
      .filter((path) => dirname(path) === folder)
      .map((path) => basename(path));
  }

  read(path: string): Buffer | undefined {
    return this.#drive.names.get(path)?.read();
  }

  makeFolder(): void {
    // A folder is there as soon as something is in it.
  }

  async open(path: string, how: 'append' | 'create' | 'overwrite'): Promise<OpenFile> {
    await this.#alive(undefined);
    let file = this.#drive.names.get(path);
    if (file === undefined) {
      if (how === 'overwrite') throw new BatonError('io', `${path}: no such file`);
      this.#refuseFull();
      file = new Inode();
      this.#drive.change({ kind: 'create', path, file });
    } else if (how === 'create') file.edit({ kind: 'truncate', length: 0 });
    return this.#handle(file);
  }

  #refuseFull(): void {
    if (this.#drive.full) throw new BatonError('io', NO_SPACE);
  }

  #handle(file: Inode): OpenFile {
    return {
      write: async (bytes, position) => {
        await this.#alive(undefined);
        const at = position ?? file.length;
        if (this.#drive.full) {
          const fits = this.#random.below(bytes.length);
          if (fits > 0) file.edit({ kind: 'write', at, bytes: bytes.slice(0, fits) });
        } else file.edit({ kind: 'write', at, bytes: bytes.slice() });
        this.#refuseFull();
      },
      datasync: () => {
        const last = file.edits.at(-1);
        // Another sync of the same file may have been first.
        const count = (): number => (last === undefined ? 0 : file.edits.indexOf(last) + 1);
        return this.#sync(
          () => file.commit(count()),
          () => file.lose(count(), this.#random.below(count() + 1)),
        );
      },
      close: () => this.#alive(undefined),
    };
  }

  async truncate(path: string, bytes: number): Promise<void> {
    await this.#alive(undefined);
    this.#drive.names.get(path)?.edit({ kind: 'truncate', length: bytes });
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#alive(undefined);
    this.#drive.change({ kind: 'rename', from, to });
  }

  async remove(path: string): Promise<void> {
    await this.#alive(undefined);
    this.#drive.change({ kind: 'remove', path });
  }

  syncFolder(): Promise<void> {
    const last = this.#drive.lastChange;
    return this.#sync(() => this.#drive.commit(last));
  }

  lock(path: string): () => void {
    if (this.#drive.held) throw new BatonError('io', `${path} is held by another process`);
    this.#drive.held = true;
    return () => {
      this.#drive.held = false;
    };
  }
}

const LIE_MS = 2_000;

function rename(names: Map<string, Inode>, change: NameChange): void {
  switch (change.kind) {
    case 'create':
      return void names.set(change.path, change.file);
    case 'remove':
      return void names.delete(change.path);
    case 'rename': {
      const file = names.get(change.from);
      names.delete(change.from);
      if (file !== undefined) names.set(change.to, file);
      return;
    }
    default:
      return change satisfies never;
  }
}
