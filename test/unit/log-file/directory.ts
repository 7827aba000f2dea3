/** Directories for stores under test, and their files as values: copied, cut and flipped at will. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileLogStore } from '../../../src/adapters/log-file/log-file.ts';
import { clusterId, replicaId } from '../../../src/lib/ids.ts';
import type {
  HardState,
  OpenedStore,
  SaveBatch,
  StoredEntry,
  StoredSnapshot,
  StoreIdentity,
} from '../../../src/ports/log-store.ts';

export const IDENTITY: StoreIdentity = {
  cluster: clusterId('c1'),
  replica: replicaId('r1'),
  epoch: 1,
  incarnationMs: 17,
  voter: true,
  votesAboveTerm: 0,
};

export type Files = ReadonlyMap<string, Buffer>;

export class Playground {
  readonly #root = mkdtempSync(join(tmpdir(), 'baton-log-'));
  #count = 0;

  fresh(): string {
    return join(this.#root, String(this.#count++));
  }

  remove(): void {
    rmSync(this.#root, { recursive: true, force: true });
  }

  /** A directory with exactly these files, as after a crash: nobody holds its lock. */
  place(files: Files): string {
    const directory = this.fresh();
    mkdirSync(directory);
    for (const [name, bytes] of files) writeFileSync(join(directory, name), bytes);
    return directory;
  }

  async open(files: Files): Promise<OpenedStore> {
    const directory = this.place(files);
    const store = new FileLogStore(directory);
    const opened = await store.open();
    await store.close();
    rmSync(directory, { recursive: true });
    return opened;
  }

  async create(): Promise<{ store: FileLogStore; directory: string }> {
    const directory = this.fresh();
    const store = new FileLogStore(directory);
    await store.create(IDENTITY);
    return { store, directory };
  }
}

/** Everything but the lock, which a crash leaves to nobody. */
export function filesOf(directory: string): Map<string, Buffer> {
  return new Map(
    readdirSync(directory)
      .filter((name) => name !== 'lock' && !name.startsWith('damaged-'))
      .map((name) => [name, readFileSync(join(directory, name))]),
  );
}

export function entry(index: number, term: number, text: string = `${index}@${term}`): StoredEntry {
  return { index, term, data: Buffer.from(text) };
}

export function batch(
  part: { hard?: HardState; entries?: readonly StoredEntry[]; snapshot?: StoredSnapshot } = {},
): SaveBatch {
  return { hardState: part.hard, entries: part.entries ?? [], snapshot: part.snapshot };
}

export const hard = (term: number, vote: string, commit = 0): HardState => ({ term, vote, commit });

export const snapshot = (index: number, term: number): StoredSnapshot => ({
  index,
  term,
  data: Buffer.from(`state at ${index}`),
});

/** What a store says of itself, in words: "term 2 vote b, snapshot 3@1, 4@1 5@2". */
export function said(opened: OpenedStore): string {
  if (opened.kind !== 'ready') return opened.kind === 'damaged' ? `damaged: ${opened.what}` : opened.kind;
  const { hardState, snapshot: state, entries } = opened;
  const log = entries.map(({ index, term, data }) => {
    const text = Buffer.from(data).toString();
    return text === `${index}@${term}` ? text : `${index}@${term} "${text}"`;
  });
  const base = state === undefined ? 'no snapshot' : `snapshot ${state.index}@${state.term}`;
  return `term ${hardState.term} vote ${hardState.vote}, ${base}, ${log.join(' ') || 'no entries'}`;
}

/** `files` with one of them changed. */
export function having(files: Files, name: string, bytes: Buffer | undefined): Files {
  const changed = new Map(files);
  if (bytes === undefined) changed.delete(name);
  else changed.set(name, bytes);
  return changed;
}

export function flip(bytes: Buffer, at: number, mask: number): Buffer {
  const flipped = Buffer.from(bytes);
  flipped[at] = (flipped[at] ?? 0) ^ mask;
  return flipped;
}

export function bytesOf(files: Files, name: string): Buffer {
  const bytes = files.get(name);
  if (bytes === undefined) throw new Error(`no file ${name}`);
  return bytes;
}
