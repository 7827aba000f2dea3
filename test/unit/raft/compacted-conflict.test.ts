/** A follower whose log ends where the leader's begins, with an entry that lost: it needs the snapshot, not the next append. */
import { expect, it } from 'vitest';
import { Raft } from '../../../src/core/raft/raft.ts';
import type { LogEntry, RaftBody, RaftMessage, Snapshot } from '../../../src/core/raft/types.ts';
import { replicaId, type ReplicaId } from '../../../src/lib/ids.ts';
import { prng } from '../../../src/lib/prng.ts';

const [r1, r2] = [replicaId('r1'), replicaId('r2')];
const members = [r1, r2, replicaId('r3')];
const entry = (index: number, term: number): LogEntry => ({ index, term, data: Uint8Array.from([index]) });

interface Stored {
  readonly term: number;
  readonly commit: number;
  readonly snapshot?: Snapshot;
  readonly entries: readonly LogEntry[];
}

function replica(id: ReplicaId, { term, commit, snapshot, entries }: Stored): Raft {
  return new Raft(
    {
      cluster: 'c',
      id,
      members,
      epoch: 1,
      incarnation: { ms: 1, nonce: 1 },
      electionTimeoutMs: 300,
      heartbeatMs: 50,
      successorGraceMs: 30,
      commandVersion: 1,
      random: prng(id),
    },
    { hardState: { term, vote: '', commit }, snapshot, entries, voter: true, votesAboveTerm: 0 },
    0,
  );
}

/** Everything the two say to each other until they fall silent; disks are immediate. @returns the bodies that r1 sent */
function converse(leader: Raft, follower: Raft, nowMs: number): RaftBody[] {
  const sent: RaftBody[] = [];
  let waiting: RaftMessage[] = [];
  const pump = (raft: Raft): void => {
    for (let ready = raft.takeReady(); ready !== undefined; ready = raft.takeReady()) {
      waiting.push(...ready.messages, ...ready.afterPersist);
      if (ready.persist !== undefined) raft.persisted(ready.persist.ticket, nowMs);
    }
  };
  pump(leader);
  pump(follower);
  for (let rounds = 0; waiting.length > 0 && rounds < 50; rounds++) {
    const batch = waiting;
    waiting = [];
    for (const message of batch) {
      if (message.from === r1 && message.to === r2) sent.push(message.body);
      if (message.to === r2) follower.step(message, nowMs);
      if (message.to === r1) leader.step(message, nowMs);
    }
    pump(leader);
    pump(follower);
  }
  expect(waiting).toEqual([]);
  return sent;
}

it('is given the snapshot, and then holds what the leader holds', () => {
  const snapshot = { index: 3, term: 2, data: Uint8Array.from([9]) };
  const leader = replica(r1, { term: 2, commit: 4, snapshot, entries: [entry(4, 2)] });
  const follower = replica(r2, { term: 1, commit: 1, entries: [entry(1, 1), entry(2, 1), entry(3, 1)] });
  leader.tick(1_000);
  const sent = converse(leader, follower, 1_000);
  expect(leader.status().role).toBe('leader');
  expect(sent.map(({ kind }) => kind)).toContain('snapshot');
  expect(follower.status()).toMatchObject({ term: 3, lastIndex: 5, durableIndex: 5 });
  expect(leader.status().commit).toBe(5);
});
