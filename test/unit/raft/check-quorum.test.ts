/** CheckQuorum under load: rounds that are confirmed late are still contact with a quorum. */
import { expect, test } from 'vitest';
import { Duet } from './duet.ts';

test('a leader that begins rounds faster than they are answered goes on leading while they are answered', () => {
  const duet = new Duet();
  duet.elect();
  expect(duet.raft.status().role).toBe('leader');
  for (let read = 1; read <= 4_000; read++) {
    duet.nowMs += 0.25;
    duet.raft.readIndex(read);
    duet.settle();
    if (read > 400) duet.acknowledge(400);
    duet.raft.tick(duet.nowMs);
  }
  expect(duet.raft.status().role).toBe('leader');
});

test('and steps down when they are answered no more', () => {
  const duet = new Duet();
  duet.elect();
  for (let read = 1; read <= 2_000 && duet.raft.status().role === 'leader'; read++) {
    duet.nowMs += 0.25;
    duet.raft.readIndex(read);
    duet.settle();
    duet.raft.tick(duet.nowMs);
  }
  expect(duet.raft.status().role).toBe('follower');
});
