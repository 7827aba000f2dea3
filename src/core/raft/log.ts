/**
 * The in-memory tail of the log, over the latest snapshot.
 *
 *   L1  entries are contiguous from snapshot.index + 1;
 *   L2  `durable` never exceeds what the store has confirmed, and falls when a suffix is replaced;
 *   L3  nothing at or below `commit` is ever replaced.
 */
import { assert } from '../../lib/assert.ts';
import type { LogEntry, Snapshot, SnapshotMark } from './types.ts';

export class RaftLog {
  #entries: LogEntry[];
  #snapshot: Snapshot | undefined;
  #mark: SnapshotMark;
  #durable: number;
  commit: number;

  constructor(snapshot: Snapshot | undefined, entries: readonly LogEntry[], commit: number) {
    this.#snapshot = snapshot;
    this.#mark =
      snapshot === undefined ? { index: 0, term: 0 } : { index: snapshot.index, term: snapshot.term };
    this.#entries = entries.slice();
    for (const [i, entry] of this.#entries.entries()) {
      assert(entry.index === this.#mark.index + 1 + i, `L1: entry ${entry.index} out of place`);
    }
    this.#durable = this.lastIndex;
    this.commit = Math.max(this.#mark.index, Math.min(commit, this.lastIndex));
  }

  get firstIndex(): number {
    return this.#mark.index + 1;
  }

  get lastIndex(): number {
    return this.#mark.index + this.#entries.length;
  }

  get lastTerm(): number {
    return this.#entries.at(-1)?.term ?? this.#mark.term;
  }

  get durable(): number {
    return this.#durable;
  }

  get snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  /** Undefined where the entry is compacted away or not there. */
  termAt(index: number): number | undefined {
    if (index === this.#mark.index) return this.#mark.term;
    return this.#entries[index - this.#mark.index - 1]?.term;
  }

  at(index: number): LogEntry | undefined {
    return this.#entries[index - this.#mark.index - 1];
  }

  /** Entries from `from`, at least one where there is one, up to `maxBytes` of data or `to`. */
  slice(from: number, to: number, maxBytes: number): LogEntry[] {
    const out: LogEntry[] = [];
    let bytes = 0;
    for (let index = from; index <= to; index++) {
      const entry = this.at(index);
      if (entry === undefined) break;
      bytes += entry.data.length + 32;
      if (out.length > 0 && bytes > maxBytes) break;
      out.push(entry);
    }
    return out;
  }

  /** Appends what is new, replacing a conflicting suffix; returns the first index written, 0 for none. */
  merge(entries: readonly LogEntry[]): number {
    for (const [i, entry] of entries.entries()) {
      if (this.termAt(entry.index) === entry.term) continue;
      if (entry.index <= this.lastIndex) this.#cutFrom(entry.index);
      this.#push(entries.slice(i));
      return entry.index;
    }
    return 0;
  }

  append(entry: LogEntry): void {
    this.#push([entry]);
  }

  #push(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      assert(entry.index === this.lastIndex + 1, `L1: entry ${entry.index} after ${this.lastIndex}`);
      this.#entries.push(entry);
    }
  }

  #cutFrom(index: number): void {
    assert(index > this.commit, `L3: entry ${index} is committed (${this.commit})`);
    this.#entries.length = index - this.#mark.index - 1;
    this.#durable = Math.min(this.#durable, index - 1);
  }

  /** The store confirmed a batch that ended here; it counts unless the entry was replaced since. */
  confirmDurable(index: number, term: number): void {
    if (this.termAt(index) === term) this.#durable = Math.max(this.#durable, index);
  }

  commitTo(index: number): boolean {
    if (index <= this.commit) return false;
    assert(index <= this.lastIndex, `commit ${index} beyond the log's end ${this.lastIndex}`);
    this.commit = index;
    return true;
  }

  /** A snapshot from the leader replaces everything; it is durable once the store says so (L2). */
  restore(snapshot: Snapshot): void {
    assert(snapshot.index > this.commit, 'a snapshot may only move the commit index forward');
    this.#snapshot = snapshot;
    this.#mark = { index: snapshot.index, term: snapshot.term };
    this.#entries = [];
    this.#durable = Math.min(this.#durable, this.commit);
    this.commit = snapshot.index;
  }

  /**
   * The state machine's own snapshot; entries below `keepFrom` are dropped. One that was begun before a newer one came from the
   * leader changes nothing: in its place, a peer below this log's first entry would be sent it for ever.
   */
  compact(snapshot: Snapshot, keepFrom: number): void {
    assert(snapshot.index <= this.commit, 'only applied state is compacted');
    if (snapshot.index <= (this.#snapshot?.index ?? 0)) return;
    this.#snapshot = snapshot;
    const mark = Math.min(snapshot.index, keepFrom - 1);
    if (mark <= this.#mark.index) return;
    const term = this.termAt(mark);
    assert(term !== undefined, 'the mark is in the log');
    this.#entries = this.#entries.slice(mark - this.#mark.index);
    this.#mark = { index: mark, term };
  }

  /** The largest index at or below `index` whose term is at or below `term` (fast backtracking, thesis 3.5). */
  findConflict(index: number, term: number): { index: number; term: number } {
    let at = Math.min(index, this.lastIndex);
    for (; at > this.#mark.index; at--) {
      const here = this.termAt(at);
      if (here !== undefined && here <= term) return { index: at, term: here };
    }
    const here = this.termAt(at) ?? 0;
    // Older than what this log begins with: they meet below that, and a snapshot has to tell it.
    return here <= term ? { index: at, term: here } : { index: at - 1, term: 0 };
  }

  isUpToDate(lastIndex: number, lastTerm: number): boolean {
    return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex);
  }
}
