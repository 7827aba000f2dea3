/** One replica's disk: what is written is not durable before it is synced, and a crash in between loses it. */
import { assert } from '../../../src/lib/assert.ts';
import type { LogEntry, Persist, PersistentState, RaftBoot, Snapshot } from '../../../src/core/raft/types.ts';

export interface Stored {
  readonly hardState: PersistentState;
  readonly snapshot: Snapshot | undefined;
  readonly entries: readonly LogEntry[];
  readonly voter: boolean;
  readonly votesAboveTerm: number;
  readonly epoch: number;
}

export const BLANK: Stored = {
  hardState: { term: 0, vote: '', commit: 0 },
  snapshot: undefined,
  entries: [],
  voter: true,
  votesAboveTerm: 0,
  epoch: 1,
};

export class Disk {
  synced: Stored = BLANK;
  #written: Persist[] = [];

  write(batch: Persist): void {
    this.#written.push(batch);
  }

  /** The oldest batch becomes durable. @returns its ticket; undefined when nothing waits */
  sync(): number | undefined {
    const batch = this.#written.shift();
    if (batch === undefined) return undefined;
    this.synced = after(this.synced, batch);
    return batch.ticket;
  }

  crash(): void {
    this.#written = [];
  }

  /** A snapshot of applied state takes the place of the entries up to it; durable at once. */
  compact(snapshot: Snapshot): void {
    assert(this.#written.length === 0, 'sync before compacting');
    const entries = this.synced.entries.filter(({ index }) => index > snapshot.index);
    this.synced = { ...this.synced, snapshot, entries };
  }

  /** As it will be when everything written is durable. */
  get written(): Stored {
    return this.#written.reduce(after, this.synced);
  }

  boot(): RaftBoot {
    return this.synced;
  }
}

/** The contract of LogStore: entries replace everything stored from their first index on, a snapshot replaces the log. */
function after(stored: Stored, { hardState, entries, snapshot, identity }: Persist): Stored {
  const first = entries[0]?.index ?? Number.POSITIVE_INFINITY;
  const kept = snapshot === undefined ? stored.entries.filter(({ index }) => index < first) : [];
  return {
    ...stored,
    ...identity,
    hardState: hardState ?? stored.hardState,
    snapshot: snapshot ?? stored.snapshot,
    entries: [...kept, ...entries],
  };
}

/** The index and term up to which `stored` reaches. */
export function lastOf({ entries, snapshot }: Stored): { readonly index: number; readonly term: number } {
  return entries.at(-1) ?? snapshot ?? { index: 0, term: 0 };
}

/** Undefined where the entry is not there. */
export function termAt({ entries }: Stored, index: number): number | undefined {
  return entries.find((entry) => entry.index === index)?.term;
}
