/** The simulator's witness of logs sees each breach that it is there for, and none where there is none. */
import { describe, expect, it } from 'vitest';
import type { SaveBatch, StoredEntry } from '../../../src/ports/log-store.ts';
import { LogOracle } from '../../sim/log-oracle.ts';
import type { DurableLog, SimDisk } from '../../sim/sim-disk.ts';
import type { SimReplica, World } from '../../sim/world.ts';

const NOTHING: SaveBatch = { hardState: undefined, entries: [], snapshot: undefined };

const entries = (from: number, count: number, term: number): StoredEntry[] =>
  Array.from({ length: count }, (_, i) => ({ index: from + i, term, data: new Uint8Array([i]) }));

/** One replica of three, whose disk has this log. */
function watched(log: Partial<DurableLog>) {
  const before: DurableLog = {
    identity: undefined,
    term: 2,
    vote: 'r1',
    commit: 2,
    snapshot: undefined,
    entries: entries(1, 3, 2),
    ...log,
  };
  const violations: string[] = [];
  const disk = { log: before } as unknown as SimDisk;
  const replica = { id: 'r1', disk } as unknown as SimReplica;
  const world = {
    replicas: [replica, { disk: {} }, { disk: {} }],
    violation: (what: string) => violations.push(what),
  } as unknown as World;
  const oracle = new LogOracle(world);
  const save = (batch: Partial<SaveBatch>): string[] => {
    disk.log = { ...before, ...batch.hardState };
    disk.onDurable({ ...NOTHING, ...batch }, before);
    return violations;
  };
  return { oracle, replica, save };
}

describe('a leader', () => {
  it('appends', () => {
    const { oracle, replica, save } = watched({});
    oracle.onLeader(replica, 2);
    expect(save({ entries: entries(4, 2, 2) })).toEqual([]);
  });

  it('replaces nothing of its log', () => {
    const { oracle, replica, save } = watched({});
    oracle.onLeader(replica, 2);
    expect(save({ entries: entries(3, 1, 2) })).toEqual([expect.stringContaining('leader append-only: r1')]);
  });

  it('may have in its snapshot what its disk has not written yet: others had committed it', () => {
    const snapshot = { index: 4, term: 2, data: new Uint8Array() };
    const { oracle, replica, save } = watched({ snapshot, entries: [] });
    oracle.onLeader(replica, 2);
    expect(save({ entries: entries(4, 1, 2) })).toEqual([]);
  });

  it('takes no snapshot in the place of its log', () => {
    const { oracle, replica, save } = watched({});
    oracle.onLeader(replica, 2);
    const snapshot = { index: 9, term: 2, data: new Uint8Array() };
    expect(save({ snapshot })).toEqual([expect.stringContaining('leader append-only: r1 takes a snapshot')]);
  });
});

describe('a follower', () => {
  it('may replace what a later leader has otherwise', () => {
    const { oracle, replica, save } = watched({});
    oracle.onLeader(replica, 2);
    const hardState = { term: 3, vote: '', commit: 2 };
    expect(save({ hardState, entries: entries(3, 1, 3) })).toEqual([]);
  });
});

describe('what is stored', () => {
  it.each([
    ['term', { term: 1, vote: '', commit: 2 }, 'stored term goes from 2 back to 1'],
    ['vote', { term: 2, vote: 'r3', commit: 2 }, 'votes for r1 and for r3 in term 2'],
    ['commit index', { term: 2, vote: 'r1', commit: 1 }, 'stored commit index goes from 2 back to 1'],
  ])('is never an earlier %s', (_, hardState, breach) => {
    const { save } = watched({});
    expect(save({ hardState: { term: 2, vote: 'r1', commit: 2 } })).toEqual([]);
    expect(save({ hardState })).toEqual([expect.stringContaining(breach)]);
  });

  it('is void with the disk', () => {
    const { oracle, replica, save } = watched({});
    save({ hardState: { term: 2, vote: 'r1', commit: 2 } });
    oracle.forget(replica);
    expect(save({ hardState: { term: 1, vote: '', commit: 2 } })).toEqual([]);
  });
});
