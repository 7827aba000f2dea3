/**
 * What a Raft message promises, looked at as it leaves: one vote a term, whatever has become of the voter's disk; nothing said
 * before it is on the sender's disk, as the leader has it; nothing called committed before it is on a majority's.
 */
import type { LogEntry, RaftMessage } from '../../src/core/raft/types.ts';
import type { LogOracle } from './log-oracle.ts';
import type { SimReplica, World } from './world.ts';

/** Leaders' terms of which it is remembered what was sent: an answer to an older one is of no consequence. */
const KEPT_TERMS = 3;

export class MessageOracle {
  readonly #world: World;
  readonly #log: LogOracle;
  /** By "voter/term": for whom. Outlives the voter's disk, as the candidate that has counted it does. */
  readonly #granted = new Map<string, string>();
  /** By the leader's term, and index: terms of the entries that it has sent. */
  readonly #sent = new Map<number, Map<number, number>>();

  constructor(world: World, log: LogOracle) {
    this.#world = world;
    this.#log = log;
  }

  onMessage(replica: SimReplica, { term, to, body }: RaftMessage): void {
    switch (body.kind) {
      case 'append':
        this.#note(term, body.prevIndex, body.prevTerm, body.entries);
        return this.#log.onCommitShown(
          replica.id,
          body.commit,
          this.#leadersTermAt(replica, term, body.commit),
          term,
        );
      case 'snapshot':
        return this.#note(term, body.index, body.lastTerm, []);
      case 'vote-reply':
        return void (body.granted && !body.pre && this.#onVote(replica, to, term));
      case 'append-reply':
        return void (body.ok && this.#onAcknowledged(replica, body.index, term));
      case 'snapshot-reply':
        return void (body.installed && this.#onAcknowledged(replica, body.index, term));
      default:
    }
  }

  #note(term: number, prevIndex: number, prevTerm: number, entries: readonly LogEntry[]): void {
    const sent = this.#sent.get(term) ?? new Map<number, number>();
    if (sent.size === 0) {
      this.#sent.set(term, sent);
      for (const known of this.#sent.keys()) if (known <= term - KEPT_TERMS) this.#sent.delete(known);
    }
    sent.set(prevIndex, prevTerm);
    for (const entry of entries) sent.set(entry.index, entry.term);
  }

  /** Its disk may still hold what it has replaced; what it has sent is what it has. */
  #leadersTermAt(leader: SimReplica, term: number, index: number): number | undefined {
    return this.#sent.get(term)?.get(index) ?? this.#log.termAt(leader, index);
  }

  #onVote(replica: SimReplica, candidate: string, term: number): void {
    const { log } = replica.disk;
    if (log.term < term || (log.term === term && log.vote !== candidate))
      this.#world.violation(
        `${replica.id} grants ${candidate} a vote of term ${term} that is not on its disk (${log.term}, ${log.vote || 'none'})`,
      );
    const key = `${replica.id}/${term}`;
    const known = this.#granted.get(key) ?? candidate;
    this.#granted.set(key, known);
    if (known !== candidate)
      this.#world.violation(`${replica.id} grants votes of term ${term} to ${known} and to ${candidate}`);
  }

  /** Everything up to `index` is on its disk, and ends there with the entry that the leader of `term` has. */
  #onAcknowledged(replica: SimReplica, index: number, term: number): void {
    const { log } = replica.disk;
    // It has followed a later leader since, and this one hears that it has.
    if (log.term > term) return;
    const last = log.entries.at(-1)?.index ?? log.snapshot?.index ?? 0;
    if (index > last)
      return this.#world.violation(`${replica.id} acknowledges index ${index} and has ${last} on its disk`);
    const [own, leaders] = [this.#log.termAt(replica, index), this.#sent.get(term)?.get(index)];
    if (own !== undefined && leaders !== undefined && own !== leaders)
      this.#world.violation(
        `${replica.id} acknowledges index ${index} of term ${leaders} and has one of term ${own} on its disk`,
      );
  }
}
