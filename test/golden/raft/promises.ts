/**
 * What holds whatever a script says: a dialogue in which one of these breaks fails before its words are compared, so that no
 * rewritten expectation can enshrine it.
 *
 *   W1  term and vote are durable before a message speaks for them (thesis, figure 3.1);
 *   W2  an acknowledged index is durable, and the entry there is the leader's;
 *   W3  one leader a term;
 *   W4  the same entry at the same index, wherever it is applied;
 *   W5  every message fits the bus: the codec refuses what does not.
 */
import { assert } from '../../../src/lib/assert.ts';
import type { LogEntry, RaftMessage, RaftStatus } from '../../../src/core/raft/types.ts';
import type { ReplicaId } from '../../../src/lib/ids.ts';
import { encodeRaftMessage } from '../../../src/wire/raft-codec.ts';
import { lastOf, termAt, type Stored } from './disk.ts';

export class Promises {
  readonly #leaders = new Map<number, ReplicaId>();
  readonly #applied = new Map<number, string>();

  /** A message leaves a replica whose disk holds `synced`, for one whose disk will hold `theirs`. */
  leaves(message: RaftMessage, synced: Stored, theirs: Stored | undefined): void {
    encodeRaftMessage(message);
    const { term, to, from, body } = message;
    const { hardState } = synced;
    assert(term <= hardState.term, `W1: ${from} speaks for term ${term}, its disk for ${hardState.term}`);
    if (body.kind === 'vote-reply' && body.granted && !body.pre) {
      assert(
        hardState.term > term || hardState.vote === to,
        `W1: ${from} gave ${to} a vote that is not on disk`,
      );
    }
    if (body.kind === 'append-reply' && body.ok) {
      assert(body.index <= lastOf(synced).index, `W2: ${from} acknowledged ${body.index}, not on disk`);
      if (theirs?.hardState.term === term) this.#matches(from, body.index, synced, theirs);
    }
    if (body.kind === 'snapshot-reply' && body.installed) {
      assert(body.index <= lastOf(synced).index, `W2: ${from} installed ${body.index}, not on disk`);
    }
  }

  /** What either has compacted away is committed, and W4 speaks for it. */
  #matches(from: ReplicaId, index: number, own: Stored, leader: Stored): void {
    if (index <= Math.max(own.snapshot?.index ?? 0, leader.snapshot?.index ?? 0)) return;
    const [mine, wanted] = [termAt(own, index), termAt(leader, index)];
    assert(mine === wanted, `W2: ${from} acknowledged ${index}@${mine}, the leader's is of ${wanted}`);
  }

  observes({ id, role, term }: RaftStatus): void {
    if (role !== 'leader') return;
    const known = this.#leaders.get(term) ?? id;
    assert(known === id, `W3: ${known} and ${id} lead term ${term}`);
    this.#leaders.set(term, id);
  }

  applies(id: ReplicaId, { index, term, data }: LogEntry): void {
    const value = `${term}:${data.join(',')}`;
    const known = this.#applied.get(index) ?? value;
    assert(known === value, `W4: ${id} applies another entry ${index}`);
    this.#applied.set(index, value);
  }
}
