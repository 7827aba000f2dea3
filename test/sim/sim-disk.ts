/**
 * A replica's disk: the production log store on a simulated drive, and a witness beside it that knows what the store has
 * called durable. Whatever a crash does, that must be there when the directory is opened again.
 */
import { FileLogStore } from '../../src/adapters/log-file/log-file.ts';
import type { Digest } from '../../src/lib/ids.ts';
import type { Prng } from '../../src/lib/prng.ts';
import type { StoredArtifact } from '../../src/ports/artifact-store.ts';
import type {
  LogStore,
  OpenedStore,
  SaveBatch,
  StoredEntry,
  StoredSnapshot,
  StoreIdentity,
} from '../../src/ports/log-store.ts';
import type { SimProcess } from './process.ts';
import { SimDrive, SimFiles } from './sim-files.ts';

/** What the store has called durable. */
export interface DurableLog {
  readonly identity: StoreIdentity | undefined;
  readonly term: number;
  readonly vote: string;
  /** As it stands beside the entries that it vouches for: nobody writes it down for itself. */
  readonly commit: number;
  readonly snapshot: StoredSnapshot | undefined;
  readonly entries: readonly StoredEntry[];
}

const FOLDER = '/raft';

export const BLANK: DurableLog = {
  identity: undefined,
  term: 0,
  vote: '',
  commit: 0,
  snapshot: undefined,
  entries: [],
};

/** Outlives its replica's processes. */
export class SimDisk {
  readonly drive: SimDrive;
  readonly artifacts: Map<Digest, StoredArtifact> = new Map();
  log: DurableLog = BLANK;
  /** Asked for by the life that was, and not known to be durable when it ended. */
  unsettled: SaveBatch[] = [];
  /** Bytes have rotted since it was opened last. */
  isRotten = false;
  /** Hears of everything that becomes durable, and what was before. */
  onDurable: (batch: SaveBatch, before: DurableLog) => void = () => undefined;
  /** Hears of the entries that are found when it is opened, and durable from then on. */
  onFound: (entries: readonly StoredEntry[]) => void = () => undefined;
  /** Hears that everything from before is void. */
  onForgotten: () => void = () => undefined;

  constructor(lies: boolean) {
    this.drive = new SimDrive(lies);
  }

  wipe(): void {
    this.drive.wipe();
    this.artifacts.clear();
    this.forget();
  }

  /** What was promised from this disk is void. */
  forget(): void {
    this.log = BLANK;
    this.unsettled = [];
    this.onForgotten();
  }

  /** A byte of a file, or all of one. @returns what, for the story */
  rot(random: Prng): string {
    this.isRotten = true;
    const isWhole = random.below(4) === 0;
    return (isWhole ? this.drive.lose(FOLDER, random) : this.drive.rot(FOLDER, random)) ?? 'nothing';
  }
}

export class WitnessedLogStore implements LogStore {
  readonly #store: FileLogStore;
  readonly #disk: SimDisk;
  readonly #violation: (text: string) => void;

  constructor(disk: SimDisk, process: SimProcess, random: Prng, violation: (text: string) => void) {
    this.#store = new FileLogStore(FOLDER, new SimFiles(disk.drive, process, random));
    this.#disk = disk;
    this.#violation = violation;
  }

  async open(): Promise<OpenedStore> {
    const opened = await this.#store.open();
    const disk = this.#disk;
    if (opened.kind === 'ready') {
      const lost = whatIsLost(disk.log, disk.unsettled, opened);
      if (lost !== undefined) this.#violation(`durability: ${lost}`);
      const { identity, hardState, snapshot, entries } = opened;
      disk.log = { identity, ...hardState, snapshot, entries };
      disk.onFound(entries);
    } else if (opened.kind === 'damaged' && !disk.isRotten && disk.log.identity !== undefined) {
      // Without an identity it was still being created when power went: nobody's yet, and whoever finds it so has no vote.
      this.#violation(`durability: ${opened.what} is damaged, and nothing has rotted`);
    } else if (opened.kind === 'empty' && disk.log.identity !== undefined) {
      this.#violation('durability: the directory is empty, and nobody emptied it');
    }
    disk.unsettled = [];
    if (opened.kind === 'ready') disk.isRotten = false;
    return opened;
  }

  async create(identity: StoreIdentity): Promise<void> {
    this.#disk.forget();
    await this.#store.create(identity);
    // Not before: power that is lost meanwhile brings the rotten files back.
    this.#disk.isRotten = false;
    this.#disk.log = { ...BLANK, identity };
  }

  async setIdentity(identity: StoreIdentity): Promise<void> {
    await this.#store.setIdentity(identity);
    this.#disk.log = { ...this.#disk.log, identity };
  }

  async save(batch: SaveBatch): Promise<void> {
    const disk = this.#disk;
    disk.unsettled.push(batch);
    await this.#store.save(batch);
    disk.unsettled.shift();
    const before = disk.log;
    disk.log = withBatch(before, batch);
    disk.onDurable(batch, before);
  }

  async compact(snapshot: StoredSnapshot, keepFrom: number): Promise<void> {
    await this.#store.compact(snapshot, keepFrom);
    const { log } = this.#disk;
    if (snapshot.index <= (log.snapshot?.index ?? 0)) return;
    this.#disk.log = { ...log, snapshot, entries: log.entries.filter(({ index }) => index > snapshot.index) };
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}

function withBatch(log: DurableLog, { hardState, entries, snapshot }: SaveBatch): DurableLog {
  let next = log;
  if (snapshot !== undefined) next = { ...next, snapshot, entries: [] };
  const first = entries[0];
  if (first !== undefined)
    next = { ...next, entries: [...next.entries.filter(({ index }) => index < first.index), ...entries] };
  if (hardState === undefined) return next;
  const commit = next === log ? log.commit : hardState.commit;
  return { ...next, ...hardState, commit };
}

/** Undefined: everything is there, but for what a write replaced that was on its way. */
function whatIsLost(
  known: DurableLog,
  unsettled: readonly SaveBatch[],
  found: Extract<OpenedStore, { kind: 'ready' }>,
): string | undefined {
  const { hardState, snapshot, entries } = found;
  if (hardState.term < known.term) return `term ${known.term} has become ${hardState.term}`;
  if (hardState.commit < known.commit) return `commit index ${known.commit} has become ${hardState.commit}`;
  if (hardState.term === known.term && known.vote !== '' && hardState.vote !== known.vote)
    return `the vote for ${known.vote} in term ${known.term} has become ${hardState.vote || 'none'}`;
  const base = snapshot?.index ?? 0;
  if (base < (known.snapshot?.index ?? 0)) return `the snapshot of ${known.snapshot?.index} is gone`;
  let replacedFrom = Number.POSITIVE_INFINITY;
  for (const batch of unsettled)
    replacedFrom = Math.min(
      replacedFrom,
      batch.entries[0]?.index ?? Infinity,
      batch.snapshot === undefined ? Infinity : 0,
    );
  const first = entries[0]?.index ?? 0;
  for (const { index, term } of known.entries) {
    if (index <= base || index >= replacedFrom) continue;
    const there = entries[index - first];
    if (there?.term !== term)
      return `entry ${index} of term ${term} ${there === undefined ? 'is gone' : `has become one of term ${there.term}`}`;
  }
  return undefined;
}
