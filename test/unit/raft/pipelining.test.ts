/** How a leader feeds a follower that keeps up: at once, then as fast as it answers, with all that gathered meanwhile. */
import { expect, test } from 'vitest';
import { limits } from '../../../src/lib/limits.ts';
import { Duet } from './duet.ts';

function leading(): Duet {
  const duet = new Duet();
  duet.elect();
  duet.takeAppends();
  return duet;
}

test('a single registration waits for nothing', () => {
  const duet = leading();
  duet.propose(1);
  expect(duet.takeAppends().map(({ entries }) => entries.length)).toEqual([1]);
});

test('what is proposed in one turn goes as one append', () => {
  const duet = leading();
  duet.propose(50);
  expect(duet.takeAppends().map(({ entries }) => entries.length)).toEqual([50]);
});

test('while several appends are on their way, registrations gather and go with the next answer, the commit index too', () => {
  const duet = leading();
  const before = duet.raft.status().lastIndex;
  for (let i = 0; i < limits.raftInflightAppends; i++) duet.propose(1);
  expect(duet.takeAppends()).toHaveLength(limits.raftInflightAppends);
  duet.propose(30);
  duet.propose(20);
  expect(duet.takeAppends()).toEqual([]);
  duet.acknowledgeUpTo(before + 1);
  const appends = duet.takeAppends();
  expect(appends.map(({ entries, commit }) => [entries.length, commit])).toEqual([[50, before + 1]]);
});

test('a follower with nothing more to come hears of the commit at once', () => {
  const duet = leading();
  duet.propose(1);
  duet.takeAppends();
  duet.acknowledge(0);
  const { commit, lastIndex } = duet.raft.status();
  expect(commit).toBe(lastIndex);
  expect(duet.takeAppends().map(({ entries, commit: told }) => [entries.length, told])).toEqual([
    [0, commit],
  ]);
});
