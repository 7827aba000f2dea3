/** A replica's own snapshot that is stored only after a newer one came from the leader: the newer one stays. */
import { expect, it } from 'vitest';
import { RaftLog } from '../../../src/core/raft/log.ts';
import type { LogEntry, Snapshot } from '../../../src/core/raft/types.ts';

const entry = (index: number): LogEntry => ({ index, term: 1, data: Uint8Array.from([index]) });
const snapshot = (index: number): Snapshot => ({ index, term: 1, data: Uint8Array.from([index]) });

function replica(): RaftLog {
  return new RaftLog(undefined, [1, 2, 3, 4].map(entry), 4);
}

it('takes the place of an older one', () => {
  const log = replica();
  log.compact(snapshot(2), 2);
  log.compact(snapshot(4), 4);
  expect([log.snapshot?.index, log.firstIndex, log.lastIndex]).toEqual([4, 4, 4]);
});

it('changes nothing where the leader’s is newer: whoever is behind needs one that reaches this log', () => {
  const log = replica();
  log.restore(snapshot(9));
  log.append(entry(10));
  log.compact(snapshot(4), 3);
  expect([log.snapshot?.index, log.firstIndex, log.lastIndex]).toEqual([9, 10, 10]);
});
