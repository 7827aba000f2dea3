/**
 * What Raft promises about logs, looked at as they become durable (Ongaro's thesis, figure 3.2): leaders append only, log
 * matching, leader completeness; votes and commit indexes that are never taken back, and nothing called committed before it is on a
 * majority's disks. What messages promise: message-oracle.ts.
 */
import { crc32c } from '../../src/lib/crc32c.ts';
import type { SaveBatch } from '../../src/ports/log-store.ts';
import type { DurableLog } from './sim-disk.ts';
import type { SimReplica, World } from './world.ts';

interface KnownEntry {
  readonly data: number;
  /** Term of the entry before it; undefined where that was not seen. */
  readonly previousTerm: number | undefined;
  readonly by: string;
}

interface Promised {
  term: number;
  vote: string;
}

export class LogOracle {
  readonly #world: World;
  /** By "index/term": the same everywhere (log matching). */
  readonly #entries = new Map<string, KnownEntry>();
  /** By index: the term of the committed entry, and the earliest term in which it was seen to be committed. */
  readonly #committed = new Map<number, { readonly term: number; readonly inTerm: number }>();
  readonly #promised = new Map<string, Promised>();
  /** The last term that each has led. */
  readonly #led = new Map<string, number>();
  /** By index and term: on whose disks the entry has been. */
  readonly #holders = new Map<number, Map<number, Set<string>>>();
  #shownCommit = 0;
  #maxCommit = 0;

  constructor(world: World) {
    this.#world = world;
    for (const replica of world.replicas)
      replica.disk.onDurable = (batch, before) => {
        this.#appendsOnly(replica, batch, before);
        if (replica.disk.log.commit < before.commit)
          world.violation(
            `${replica.id}: stored commit index goes from ${before.commit} back to ${replica.disk.log.commit}`,
          );
        this.#onDurable(replica, batch);
      };
    // Also what a process wrote and was killed before it could call it durable.
    for (const { id, disk } of world.replicas)
      disk.onFound = (entries) => {
        for (const { index, term } of entries) this.#hold(id, index, term);
      };
  }

  /** The disk is gone, and with it what was promised from it. */
  forget(replica: SimReplica): void {
    this.#promised.delete(replica.id);
    this.#led.delete(replica.id);
  }

  /** Leader append-only: in the term that it leads it replaces nothing of its log, and takes nobody's in its place. */
  #appendsOnly({ id }: SimReplica, { hardState, entries, snapshot }: SaveBatch, before: DurableLog): void {
    const term = hardState?.term ?? before.term;
    if (this.#led.get(id) !== term) return;
    // What others had committed before its own disk had it may be in its snapshot already.
    const last = before.entries.at(-1)?.index ?? 0;
    const first = entries[0]?.index ?? last + 1;
    if (first <= last)
      this.#world.violation(
        `leader append-only: ${id} replaces its log from ${first} to ${last} in term ${term}, which it leads`,
      );
    if (snapshot !== undefined)
      this.#world.violation(
        `leader append-only: ${id} takes a snapshot of ${snapshot.index} for its log in term ${term}, which it leads`,
      );
  }

  #onDurable(replica: SimReplica, { hardState, entries }: SaveBatch): void {
    if (hardState !== undefined) {
      const known = this.#promised.get(replica.id);
      if (known !== undefined && hardState.term < known.term)
        this.#world.violation(`${replica.id}: stored term goes from ${known.term} back to ${hardState.term}`);
      if (
        known !== undefined &&
        hardState.term === known.term &&
        known.vote !== '' &&
        hardState.vote !== known.vote
      )
        this.#world.violation(
          `${replica.id} votes for ${known.vote} and for ${hardState.vote || 'nobody'} in term ${known.term}`,
        );
      this.#promised.set(replica.id, { term: hardState.term, vote: hardState.vote });
      this.#commit(replica, hardState.commit);
    }
    const first = entries[0];
    if (first === undefined) return;
    let previousTerm = this.termAt(replica, first.index - 1);
    for (const { index, term, data } of entries) {
      this.#hold(replica.id, index, term);
      const key = `${index}/${term}`;
      const entry = { data: crc32c(data), previousTerm, by: replica.id };
      const known = this.#entries.get(key);
      if (known === undefined) this.#entries.set(key, entry);
      else if (known.data !== entry.data)
        this.#world.violation(
          `log matching: ${known.by} and ${replica.id} have different entries at index ${index}, term ${term}`,
        );
      else if (
        known.previousTerm !== undefined &&
        previousTerm !== undefined &&
        known.previousTerm !== previousTerm
      )
        this.#world.violation(
          `log matching: ${known.by} and ${replica.id} agree at index ${index} and not before it`,
        );
      previousTerm = term;
    }
  }

  /** Of the entry on this disk; undefined where it is not there, or below the snapshot. */
  termAt({ disk }: SimReplica, index: number): number | undefined {
    if (disk.log.snapshot?.index === index) return disk.log.snapshot.term;
    const { entries } = disk.log;
    const first = entries[0]?.index ?? 0;
    return entries[index - first]?.term;
  }

  #commit(replica: SimReplica, commit: number): void {
    const term = this.termAt(replica, commit);
    if (term !== undefined) this.#committedIn(commit, term, replica.disk.log.term);
  }

  #committedIn(commit: number, term: number, inTerm: number): void {
    const known = this.#committed.get(commit);
    if (known === undefined || (known.term === term && inTerm < known.inTerm))
      this.#committed.set(commit, { term, inTerm });
    else if (known.term !== term)
      this.#world.violation(
        `state-machine safety: index ${commit} is committed in term ${known.term} and in term ${term}`,
      );
    this.#maxCommit = Math.max(this.#maxCommit, commit);
  }

  #hold(id: string, index: number, term: number): void {
    if (index <= this.#shownCommit) return;
    const byTerm = this.#holders.get(index) ?? new Map<number, Set<string>>();
    this.#holders.set(index, byTerm.set(term, (byTerm.get(term) ?? new Set()).add(id)));
  }

  /**
   * What is called committed has been on the disks of a majority, with the term that its speaker has there, and is what whoever
   * leads later must have.
   */
  onCommitShown(id: string, commit: number, term: number | undefined, inTerm: number): void {
    if (commit <= this.#shownCommit) return;
    const byTerm = this.#holders.get(commit);
    const holders = [...(byTerm?.keys() ?? [])].map((known) => byTerm?.get(known)?.size ?? 0);
    const most = term === undefined ? Math.max(0, ...holders) : (byTerm?.get(term)?.size ?? 0);
    const quorum = Math.floor(this.#world.replicas.length / 2) + 1;
    if (most < quorum)
      this.#world.violation(
        `durable majority: ${id} calls index ${commit} committed, which ${most} replicas hold`,
      );
    for (let index = this.#shownCommit; index <= commit; index++) this.#holders.delete(index);
    this.#shownCommit = commit;
    if (term !== undefined) this.#committedIn(commit, term, inTerm);
  }

  /** Leader completeness: whoever begins to lead has everything that was committed in earlier terms. */
  onLeader(replica: SimReplica, term: number): void {
    this.#led.set(replica.id, term);
    const { log } = replica.disk;
    const last = log.entries.at(-1)?.index ?? log.snapshot?.index ?? 0;
    for (const [index, { term: committed, inTerm }] of this.#committed) {
      if (inTerm >= term) continue;
      const own = this.termAt(replica, index);
      if (index > last || (own !== undefined && own !== committed))
        this.#world.violation(
          `leader completeness: ${replica.id} leads term ${term} without the committed entry ${index}/${committed}`,
        );
    }
    // What every later leader has needs no second look.
    for (const index of this.#committed.keys()) if (index < this.#maxCommit) this.#committed.delete(index);
  }
}
