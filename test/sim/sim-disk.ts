/** Disks: what was written is not durable before its fsync, and a crash in between may keep it or not. */
import type { Prng } from '../../src/lib/prng.ts';
import type { Digest } from '../../src/lib/ids.ts';
import { BatonError } from '../../src/lib/errors.ts';
import type { ArtifactStore, StoredArtifact } from '../../src/ports/artifact-store.ts';
import type { ArtifactPeers } from '../../src/ports/artifact-peers.ts';
import type {
  LogStore,
  OpenedStore,
  SaveBatch,
  StoredEntry,
  StoredSnapshot,
  StoreIdentity,
} from '../../src/ports/log-store.ts';
import type { SimProcess } from './process.ts';

interface DurableLog {
  identity: StoreIdentity | undefined;
  term: number;
  vote: string;
  commit: number;
  snapshot: StoredSnapshot | undefined;
  entries: readonly StoredEntry[];
}

const BLANK: DurableLog = {
  identity: undefined,
  term: 0,
  vote: '',
  commit: 0,
  snapshot: undefined,
  entries: [],
};

const LIE_MS = 2_000;

/** One replica's disk; outlives its processes. */
export class SimDisk {
  log: DurableLog = { ...BLANK };
  readonly artifacts: Map<Digest, StoredArtifact> = new Map();
  /** Says "durable" at once and means "soon": what every oracle must notice. */
  readonly lies: boolean;
  /** Multiplies the time of an fsync. */
  slowness = 1;
  /** Every write fails. */
  full = false;
  /** Set aside by whoever opens it. */
  damaged = false;
  /** Hears of everything that becomes durable. */
  onDurable: (batch: SaveBatch) => void = () => undefined;

  constructor(lies: boolean) {
    this.lies = lies;
  }

  /** Lost: nothing is there. Damaged: something is, and it cannot be believed. */
  wipe(damaged: boolean): void {
    this.log = { ...BLANK };
    this.damaged = damaged;
    this.full = false;
    if (!damaged) this.artifacts.clear();
  }
}

export class SimLogStore implements LogStore {
  readonly #disk: SimDisk;
  readonly #process: SimProcess;
  readonly #random: Prng;
  /** Written, and not yet known to be durable. */
  #pending: (() => void)[] = [];
  #lastMs = 0;

  constructor(disk: SimDisk, process: SimProcess, random: Prng) {
    this.#disk = disk;
    this.#process = process;
    this.#random = random;
    process.onExit(() => {
      // A prefix of what was on its way may have reached the disk.
      const kept = disk.lies ? 0 : this.#random.below(this.#pending.length + 1);
      for (const write of this.#pending.slice(0, kept)) write();
    });
  }

  open(): Promise<OpenedStore> {
    if (this.#disk.damaged) return Promise.resolve({ kind: 'damaged', what: 'log-1' });
    const { identity, term, vote, commit, snapshot, entries } = this.#disk.log;
    if (identity === undefined) return Promise.resolve({ kind: 'empty' });
    const hardState = { term, vote, commit };
    return Promise.resolve({ kind: 'ready', identity, hardState, snapshot, entries, tornBytes: 0 });
  }

  create(identity: StoreIdentity): Promise<void> {
    this.#disk.log = { ...BLANK, identity };
    this.#disk.damaged = false;
    return this.#fsync();
  }

  async setIdentity(identity: StoreIdentity): Promise<void> {
    await this.#fsync();
    this.#disk.log = { ...this.#disk.log, identity };
  }

  async save(batch: SaveBatch): Promise<void> {
    if (this.#disk.full) throw new BatonError('io', 'no space left on device');
    const durable = this.#write(this.#disk.lies ? LIE_MS : 0, () => this.#apply(batch));
    if (!this.#disk.lies) await durable;
  }

  /** Durable after an fsync; a crash before it may keep it or not. */
  async #write(laterMs: number, write: () => void): Promise<void> {
    this.#pending.push(write);
    await this.#fsync(laterMs);
    this.#pending.shift();
    write();
  }

  /** As the file does it: after what was saved before, and what the snapshot covers is dropped. */
  async compact(snapshot: StoredSnapshot): Promise<void> {
    await this.#write(0, () => {
      const { log } = this.#disk;
      if (snapshot.index <= (log.snapshot?.index ?? 0)) return;
      const entries = log.entries.filter(({ index }) => index > snapshot.index);
      this.#disk.log = { ...log, snapshot, entries };
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** In the order of the calls. Never resolves once the process is dead. */
  #fsync(laterMs = 0): Promise<void> {
    const { clock } = this.#process;
    const takesMs =
      this.#random.float() < 0.02 ? 10 + this.#random.float() * 30 : 0.3 + this.#random.float() * 2;
    const dueMs = Math.max(clock.now() + takesMs * this.#disk.slowness + laterMs, this.#lastMs);
    this.#lastMs = dueMs;
    return new Promise((resolve) => void clock.after(dueMs - clock.now(), resolve));
  }

  #apply({ hardState, entries, snapshot }: SaveBatch): void {
    let { log } = this.#disk;
    if (snapshot !== undefined) log = { ...log, snapshot, entries: [] };
    const first = entries[0];
    if (first !== undefined)
      log = { ...log, entries: [...log.entries.filter(({ index }) => index < first.index), ...entries] };
    if (hardState !== undefined) log = { ...log, ...hardState };
    this.#disk.log = log;
    this.#disk.onDurable({ hardState, entries, snapshot });
  }
}

export class SimArtifactStore implements ArtifactStore {
  readonly #disk: SimDisk;

  constructor(disk: SimDisk) {
    this.#disk = disk;
  }

  async put(content: AsyncIterable<Uint8Array>, expected?: Digest): Promise<StoredArtifact> {
    let bytes = 0;
    for await (const chunk of content) bytes += chunk.length;
    if (expected === undefined) throw new BatonError('invalid-argument', 'the simulator names its artifacts');
    const stored = { digest: expected, bytes, touchedMs: Number.MAX_SAFE_INTEGER };
    this.#disk.artifacts.set(expected, stored);
    return stored;
  }

  has(digest: Digest): boolean {
    return this.#disk.artifacts.has(digest);
  }

  async *read(digest: Digest): AsyncGenerator<Uint8Array> {
    if (!this.has(digest)) throw new BatonError('not-found', 'no such artifact');
    yield new Uint8Array(1);
  }

  list(): readonly StoredArtifact[] {
    return [...this.#disk.artifacts.values()];
  }

  remove(digest: Digest): Promise<void> {
    this.#disk.artifacts.delete(digest);
    return Promise.resolve();
  }
}

/** HTTP between replicas, as far as artifacts need it. */
export class SimArtifactPeers implements ArtifactPeers {
  readonly #disks: ReadonlyMap<string, SimDisk>;
  readonly #reachable: (http: string) => boolean;

  constructor(disks: ReadonlyMap<string, SimDisk>, reachable: (http: string) => boolean) {
    this.#disks = disks;
    this.#reachable = reachable;
  }

  async *fetch(fromHttp: string, digest: Digest): AsyncGenerator<Uint8Array> {
    const disk = this.#disks.get(fromHttp);
    if (disk === undefined || !this.#reachable(fromHttp)) throw new BatonError('disconnected', 'no answer');
    if (!disk.artifacts.has(digest)) throw new BatonError('not-found', 'this replica does not hold it');
    yield await Promise.resolve(new Uint8Array(1));
  }

  askToHold(replicaHttp: string, digest: Digest): Promise<void> {
    const disk = this.#disks.get(replicaHttp);
    if (disk === undefined || !this.#reachable(replicaHttp))
      return Promise.reject(new BatonError('disconnected', 'no answer'));
    disk.artifacts.set(digest, { digest, bytes: 1, touchedMs: Number.MAX_SAFE_INTEGER });
    return Promise.resolve();
  }

  askToReplicate(leaderHttp: string, digest: Digest): Promise<void> {
    return this.askToHold(leaderHttp, digest);
  }
}
