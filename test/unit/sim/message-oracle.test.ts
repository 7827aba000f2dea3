/** The simulator's witness of messages sees each breach that it is there for, and none where there is none. */
import { describe, expect, it } from 'vitest';
import type { RaftBody, RaftMessage } from '../../../src/core/raft/types.ts';
import { LogOracle } from '../../sim/log-oracle.ts';
import { MessageOracle } from '../../sim/message-oracle.ts';
import { BLANK, type DurableLog, type SimDisk } from '../../sim/sim-disk.ts';
import type { SimReplica, World } from '../../sim/world.ts';

const entry = (index: number, term: number) => ({ index, term, data: new Uint8Array([index]) });
const hard = (term: number, vote: string) => ({ term, vote, commit: 0 });

/** Three replicas with empty disks. */
function cluster() {
  const violations: string[] = [];
  const replicas = ['r1', 'r2', 'r3'].map((id) => {
    return { id, disk: { log: BLANK } as unknown as SimDisk } as unknown as SimReplica;
  });
  const world = { replicas, violation: (what: string) => violations.push(what) } as unknown as World;
  const log = new LogOracle(world);
  const messages = new MessageOracle(world, log);
  const replica = (id: string): SimReplica => {
    const one = replicas.find((known) => known.id === id);
    if (one === undefined) throw new Error(`no replica ${id}`);
    return one;
  };
  return {
    violations,
    /** It has this on its disk from now on. */
    stores: (id: string, log: Partial<DurableLog>): void => {
      const { disk } = replica(id);
      const before = disk.log;
      disk.log = { ...before, ...log };
      disk.onDurable({ hardState: undefined, entries: log.entries ?? [], snapshot: log.snapshot }, before);
    },
    losesDisk: (id: string): void => log.forget(replica(id)),
    says: (from: string, to: string, term: number, body: RaftBody): string[] => {
      messages.onMessage(replica(from), { from, to, term, body } as unknown as RaftMessage);
      return violations;
    },
  };
}

const yes: RaftBody = { kind: 'vote-reply', pre: false, granted: true, asked: 0 };
const acknowledges = (index: number): RaftBody => ({
  kind: 'append-reply',
  ok: true,
  index,
  hintTerm: 0,
  refused: 0,
  round: 0,
});
const installed = (index: number): RaftBody => ({
  kind: 'snapshot-reply',
  index,
  offset: 1,
  installed: true,
  round: 0,
});
const appends = (prev: readonly [number, number], terms: readonly number[], commit: number): RaftBody => ({
  kind: 'append',
  prevIndex: prev[0],
  prevTerm: prev[1],
  entries: terms.map((term, i) => entry(prev[0] + 1 + i, term)),
  commit,
  round: 0,
  successor: '',
});

describe('a vote', () => {
  it('is on the disk before it is said', () => {
    const { stores, says } = cluster();
    stores('r1', hard(2, 'r2'));
    expect(says('r1', 'r2', 2, yes)).toEqual([]);
    expect(says('r1', 'r2', 3, yes)).toEqual([
      expect.stringContaining('a vote of term 3 that is not on its disk'),
    ]);
  });

  it('is given once a term, also by a replica that has lost its disk since', () => {
    const { stores, says, losesDisk } = cluster();
    stores('r1', hard(2, 'r2'));
    says('r1', 'r2', 2, yes);
    losesDisk('r1');
    stores('r1', hard(2, 'r3'));
    expect(says('r1', 'r3', 2, yes)).toEqual(['r1 grants votes of term 2 to r2 and to r3']);
  });
});

describe('an acknowledgement', () => {
  it('is of what is on the disk', () => {
    const { stores, says } = cluster();
    stores('r2', { entries: [entry(1, 1)] });
    expect(says('r2', 'r1', 1, acknowledges(1))).toEqual([]);
    expect(says('r2', 'r1', 1, acknowledges(2))).toEqual(['r2 acknowledges index 2 and has 1 on its disk']);
  });

  it('is of the entry that the leader has, not of another at its index', () => {
    const { stores, says } = cluster();
    stores('r2', { entries: [entry(1, 1), entry(2, 1)] });
    says('r1', 'r2', 3, appends([1, 1], [3], 0));
    expect(says('r2', 'r1', 3, acknowledges(2))).toEqual([
      'r2 acknowledges index 2 of term 3 and has one of term 1 on its disk',
    ]);
  });

  it('that left late is nobody’s breach: its sender follows a later leader', () => {
    const { stores, says } = cluster();
    says('r1', 'r2', 3, appends([0, 0], [3], 0));
    stores('r2', { term: 4, entries: [entry(1, 4)] });
    expect(says('r2', 'r1', 3, acknowledges(1))).toEqual([]);
  });

  it('of a snapshot is of what is on the disk, too', () => {
    const { stores, says } = cluster();
    stores('r2', { snapshot: { index: 7, term: 1, data: new Uint8Array() } });
    expect(says('r2', 'r1', 1, installed(7))).toEqual([]);
    expect(says('r2', 'r1', 1, installed(9))).toEqual(['r2 acknowledges index 9 and has 7 on its disk']);
  });
});

describe('what is called committed', () => {
  it('is on the disks of a majority', () => {
    const { stores, says } = cluster();
    stores('r1', { entries: [entry(1, 1)] });
    stores('r2', { entries: [entry(1, 1)] });
    expect(says('r1', 'r3', 1, appends([0, 0], [1], 1))).toEqual([]);
    expect(says('r1', 'r3', 1, appends([1, 1], [1], 2))).toEqual([
      'durable majority: r1 calls index 2 committed, which 0 replicas hold',
    ]);
  });

  it('is the entry of its speaker: two others with another one are no majority for it', () => {
    const { stores, says } = cluster();
    stores('r2', { entries: [entry(1, 1)] });
    stores('r3', { entries: [entry(1, 1)] });
    stores('r1', { entries: [entry(1, 2)] });
    expect(says('r1', 'r3', 2, appends([0, 0], [2], 1))).toEqual([
      'durable majority: r1 calls index 1 committed, which 1 replicas hold',
    ]);
  });
});
