/** What a replica's directory holds, once it is durable. */
import type { LogEntry, Persist, PersistentState, RaftBoot, Snapshot } from '../../../src/core/raft/types.ts';

export interface Disk {
  hardState: PersistentState;
  entries: LogEntry[];
  snapshot: Snapshot | undefined;
  voter: boolean;
  votesAboveTerm: number;
}

export const blankDisk = (): Disk => ({
  hardState: { term: 0, vote: '', commit: 0 },
  entries: [],
  snapshot: undefined,
  voter: true,
  votesAboveTerm: 0,
});

export function bootFrom(disk: Disk): RaftBoot {
  return { ...disk, entries: disk.entries.slice() };
}

export function write(disk: Disk, persist: Persist): void {
  if (persist.hardState !== undefined) {
    if (persist.hardState.term < disk.hardState.term) throw new Error('the durable term fell');
    disk.hardState = persist.hardState;
  }
  if (persist.snapshot !== undefined && persist.snapshot.index > (disk.snapshot?.index ?? 0)) {
    const { snapshot } = persist;
    const last = disk.entries.at(-1)?.index ?? 0;
    const keeps = disk.entries.some(
      (entry) => entry.index === snapshot.index && entry.term === snapshot.term,
    );
    disk.entries =
      keeps && last > snapshot.index ? disk.entries.filter((entry) => entry.index > snapshot.index) : [];
    disk.snapshot = snapshot;
  }
  const first = persist.entries[0]?.index;
  if (first !== undefined)
    disk.entries = [...disk.entries.filter((entry) => entry.index < first), ...persist.entries];
  if (persist.identity !== undefined) {
    disk.voter = persist.identity.voter;
    disk.votesAboveTerm = persist.identity.votesAboveTerm;
  }
}
