/** A replica's durable state for as long as a rehearsal lasts: everything written is there at once, and nothing is kept. */
import { assert } from '../../lib/assert.ts';
import type {
  HardState,
  LogStore,
  StoredEntry,
  StoredSnapshot,
  StoreIdentity,
} from '../../ports/log-store.ts';

export interface RehearsedDisk {
  identity: StoreIdentity;
  hardState: HardState;
  entries: readonly StoredEntry[];
  snapshot: StoredSnapshot | undefined;
}

export function rehearsedDisk(identity: StoreIdentity): RehearsedDisk {
  return { identity, hardState: { term: 0, vote: '', commit: 0 }, entries: [], snapshot: undefined };
}

/** Opens what `disk` holds; a later store on the same disk finds what this one has saved. */
export function memoryStore(disk: RehearsedDisk): LogStore {
  const setIdentity = (identity: StoreIdentity): Promise<void> => {
    disk.identity = identity;
    return Promise.resolve();
  };
  return {
    open: () => Promise.resolve({ kind: 'ready', ...disk, tornBytes: 0 }),
    create: setIdentity,
    setIdentity,
    save({ hardState, entries, snapshot }) {
      if (hardState !== undefined) disk.hardState = hardState;
      if (snapshot !== undefined) {
        disk.snapshot = snapshot;
        disk.entries = [];
      }
      const [first] = entries;
      if (first !== undefined) {
        const kept = disk.entries.filter(({ index }) => index < first.index);
        assert(
          (kept.at(-1)?.index ?? disk.snapshot?.index ?? 0) + 1 === first.index,
          'entries are contiguous',
        );
        disk.entries = [...kept, ...entries];
      }
      return Promise.resolve();
    },
    compact(snapshot, keepFrom) {
      disk.snapshot = snapshot;
      disk.entries = disk.entries.filter(({ index }) => index >= keepFrom);
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
}
