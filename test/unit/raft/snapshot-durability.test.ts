/** A snapshot from the leader is like any write: nothing is said on the strength of it before the store has confirmed it. */
import { describe, expect, it } from 'vitest';
import type { Raft } from '../../../src/core/raft/raft.ts';
import { hashMembers } from '../../../src/core/raft/state.ts';
import type { RaftBody, RaftMessage, Ready } from '../../../src/core/raft/types.ts';
import { core, MEMBERS } from './core.ts';

const [self, leader, other] = MEMBERS;
const DATA = Uint8Array.from([1, 2, 3]);
const chunk: RaftBody = {
  kind: 'snapshot',
  index: 9,
  lastTerm: 2,
  offset: 0,
  total: 3,
  data: DATA,
  round: 1,
};
const heartbeat: RaftBody = {
  kind: 'append',
  prevIndex: 0,
  prevTerm: 0,
  entries: [],
  commit: 9,
  round: 2,
  successor: '',
};

class Follower {
  readonly #raft: Raft;

  constructor(voter: boolean) {
    this.#raft = core({ term: 2, voter });
    this.#raft.takeReady();
  }

  get status(): ReturnType<Raft['status']> {
    return this.#raft.status();
  }

  hear(body: RaftBody, from = leader): Ready | undefined {
    const message: RaftMessage = {
      cluster: 'c',
      epoch: 1,
      memberHash: hashMembers(MEMBERS),
      from,
      to: self,
      term: 2,
      incarnation: { ms: 1, nonce: 2 },
      commandVersion: 1,
      voter: true,
      body,
    };
    this.#raft.step(message, 1);
    return this.#raft.takeReady();
  }

  artifactsReady(index: number): void {
    this.#raft.artifactsReady(index, 1);
  }

  persisted(ticket: number): Ready | undefined {
    this.#raft.persisted(ticket, 1);
    return this.#raft.takeReady();
  }
}

const indexes = (messages: readonly RaftMessage[] = []): number[] =>
  messages.flatMap(({ body }) => (body.kind === 'append-reply' && body.ok ? [body.index] : []));

describe('a snapshot that is being written', () => {
  it('is acknowledged to nobody, whatever comes meanwhile', () => {
    const follower = new Follower(true);
    const ticket = follower.hear(chunk)?.persist?.ticket ?? 0;
    expect(follower.status.durableIndex).toBe(0);
    const meanwhile = follower.hear(heartbeat);
    expect(indexes(meanwhile?.messages)).toEqual([0]);
    expect(indexes(follower.persisted(ticket)?.messages)).toEqual([9]);
    expect(follower.status.durableIndex).toBe(9);
  });

  it('and comes a second time is answered when the first is durable, and replaces nothing', () => {
    const follower = new Follower(true);
    follower.hear(chunk);
    const again = follower.hear(chunk);
    expect(again?.restore).toBeUndefined();
    expect(again?.messages).toEqual([]);
    expect(again?.afterPersist.map(({ body }) => body)).toEqual([
      { kind: 'snapshot-reply', index: 9, offset: 3, installed: true, round: 1 },
    ]);
    expect(again?.persist?.snapshot).toBeUndefined();
  });

  it('gives no vote back to a replica that had lost its disk (J3)', () => {
    const follower = new Follower(false);
    follower.hear({ kind: 'rejoin-reply', nonce: 1, confirmedCommit: 0, knownIncarnationMs: 0 }, other);
    follower.hear({ kind: 'rejoin-reply', nonce: 1, confirmedCommit: 9, knownIncarnationMs: 0 });
    const ticket = follower.hear(chunk)?.persist?.ticket ?? 0;
    follower.artifactsReady(9);
    expect(follower.status.voter).toBe(false);
    follower.persisted(ticket);
    expect(follower.status.voter).toBe(true);
  });
});
