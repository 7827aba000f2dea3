/** Two voices for the Raft core alone: r1 is real, r2 is played by the test, and r3 is silent. */
import type { Raft } from '../../../src/core/raft/raft.ts';
import type { RaftBody, RaftMessage, Ready } from '../../../src/core/raft/types.ts';
import { core, ELECTION_TIMEOUT_MS, MEMBERS } from './core.ts';

const [r1, r2] = MEMBERS;

export class Duet {
  nowMs = 1_000;
  readonly raft: Raft = core({ nowMs: this.nowMs });
  /** To r2, since the test last took them. */
  #sent: RaftBody[] = [];
  /** Of the last append to r2. */
  #round = 0;
  #last: RaftMessage | undefined;

  /** Every write is durable at once. */
  settle(): void {
    for (let ready = this.raft.takeReady(); ready !== undefined; ready = this.raft.takeReady())
      this.#carryOut(ready);
  }

  #carryOut({ messages, persist, afterPersist }: Ready): void {
    for (const message of [...messages, ...afterPersist]) {
      if (message.to !== r2) continue;
      this.#sent.push(message.body);
      if (message.body.kind === 'append') this.#round = message.body.round;
      this.#last = message;
    }
    if (persist !== undefined) this.raft.persisted(persist.ticket, this.nowMs);
  }

  hear(body: RaftBody): void {
    if (this.#last === undefined) throw new Error('r1 has said nothing yet');
    const incarnation = { ms: 1, nonce: 2 };
    this.raft.step({ ...this.#last, from: r2, to: r1, incarnation, voter: true, body }, this.nowMs);
    this.settle();
  }

  elect(): void {
    this.nowMs += 2 * ELECTION_TIMEOUT_MS;
    this.raft.tick(this.nowMs);
    this.settle();
    this.hear({ kind: 'vote-reply', pre: true, granted: true, asked: 1 });
    this.hear({ kind: 'vote-reply', pre: false, granted: true, asked: 1 });
    this.acknowledge(0);
  }

  /** As a follower does that holds everything, but echoes a round that was begun `late` rounds ago. */
  acknowledge(late: number): void {
    const round = Math.max(0, this.#round - late);
    this.acknowledgeUpTo(this.raft.status().lastIndex, round);
  }

  acknowledgeUpTo(index: number, round: number = this.#round): void {
    this.hear({ kind: 'append-reply', ok: true, index, hintTerm: 0, refused: 0, round });
  }

  takeAppends(): Extract<RaftBody, { kind: 'append' }>[] {
    const appends = this.#sent.flatMap((body) => (body.kind === 'append' ? [body] : []));
    this.#sent = [];
    return appends;
  }

  propose(count: number): void {
    for (let i = 0; i < count; i++) this.raft.propose(Uint8Array.of(i & 0xff));
    this.settle();
  }
}
