/** Snapshots in a store after every crash that a disk can make of it: whole, or not there, or told to be damaged. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileLogStore } from '../../../src/adapters/log-file/log-file.ts';
import { scanSegment } from '../../../src/adapters/log-file/records.ts';
import {
  batch,
  bytesOf,
  entry,
  filesOf,
  flip,
  hard,
  having,
  Playground,
  said,
  snapshot,
  type Files,
} from './directory.ts';

const playground = new Playground();
afterAll(() => playground.remove());

const open = async (files: Files): Promise<string> => said(await playground.open(files));

describe('a snapshot', () => {
  let before: Files;
  let after: Files;

  beforeAll(async () => {
    const { store, directory } = await playground.create();
    await store.save(batch({ hard: hard(1, 'a'), entries: [1, 2, 3, 4, 5].map((n) => entry(n, 1)) }));
    before = filesOf(directory);
    await store.compact(snapshot(3, 1), 4);
    await store.close();
    after = filesOf(directory);
  });

  it('takes the place of the entries below it', async () => {
    expect([...after.keys()].sort()).toEqual(['hard-0', 'hard-1', 'identity', 'log-2', 'mark', 'snapshot']);
    expect(await open(before)).toBe('term 1 vote a, no snapshot, 1@1 2@1 3@1 4@1 5@1');
    expect(await open(after)).toBe('term 1 vote a, snapshot 3@1, 4@1 5@1');
    const opened = await playground.open(after);
    expect(opened).toMatchObject({ kind: 'ready', snapshot: snapshot(3, 1) });
  });

  it('is there whole or not at all, wherever its writing stopped; the entries are there either way', async () => {
    const state = bytesOf(after, 'snapshot');
    for (let cut = 0; cut <= state.length; cut += 3) {
      const half = having(before, 'snapshot.tmp', state.subarray(0, cut));
      expect(await open(half)).toBe('term 1 vote a, no snapshot, 1@1 2@1 3@1 4@1 5@1');
    }
    const renamed = having(before, 'snapshot', state);
    expect(await open(renamed)).toBe('term 1 vote a, snapshot 3@1, 4@1 5@1');
    const segment = bytesOf(after, 'log-2');
    for (let cut = 0; cut <= segment.length; cut++) {
      const half = having(renamed, 'log-2', segment.subarray(0, cut));
      expect(await open(half), `new segment cut at ${cut}`).toBe('term 1 vote a, snapshot 3@1, 4@1 5@1');
    }
  });

  it('of which half a segment was left can be gone on from', async () => {
    const segment = bytesOf(after, 'log-2');
    const renamed = having(before, 'snapshot', bytesOf(after, 'snapshot'));
    for (const cut of [0, 5, segment.length]) {
      const directory = playground.place(having(renamed, 'log-2', segment.subarray(0, cut)));
      const store = new FileLogStore(directory);
      await store.open();
      await store.save(batch({ entries: [entry(5, 1, 'again'), entry(6, 1)] }));
      await store.compact(snapshot(4, 1), 5);
      await store.save(batch({ entries: [entry(7, 1)] }));
      await store.close();
      expect([...filesOf(directory).keys()].filter((name) => name.startsWith('log-'))).toHaveLength(1);
      expect(await open(filesOf(directory))).toBe('term 1 vote a, snapshot 4@1, 5@1 "again" 6@1 7@1');
    }
  });

  it('that is cut or changed anywhere is damage', async () => {
    const state = bytesOf(after, 'snapshot');
    for (let at = 0; at < state.length; at++) {
      expect(await open(having(after, 'snapshot', state.subarray(0, at)))).toBe('damaged: snapshot');
      expect(await open(having(after, 'snapshot', flip(state, at, 0x04)))).toBe('damaged: snapshot');
    }
  });

  it('that is gone while the log begins behind it is damage', async () => {
    expect(await open(having(after, 'snapshot', undefined))).toBe('damaged: log (a gap after the snapshot)');
  });

  it('that is gone with everything that it stood for is damage: the log says what was committed', async () => {
    const { store, directory } = await playground.create();
    await store.save(batch({ hard: hard(1, 'a', 2), entries: [entry(1, 1), entry(2, 1)] }));
    await store.compact(snapshot(2, 1), 3);
    await store.close();
    const all = filesOf(directory);
    expect(await open(all)).toBe('term 1 vote a, snapshot 2@1, no entries');
    expect(await open(having(all, 'snapshot', undefined))).toBe(
      'damaged: snapshot (the log says that more is committed)',
    );
  });

  it('that came with entries and their commit is whole without those, if power goes before they are written', async () => {
    const { store, directory } = await playground.create();
    await store.save(batch({ hard: hard(2, 'b', 5), snapshot: snapshot(4, 2), entries: [entry(5, 2)] }));
    await store.close();
    const all = filesOf(directory);
    expect(await open(all)).toBe('term 2 vote b, snapshot 4@2, 5@2');
    const segment = bytesOf(all, 'log-2');
    const beginning = scanSegment(segment, 2).payloads[0]?.length ?? 0;
    for (let cut = beginning; cut < segment.length; cut++) {
      const stopped = having(having(all, 'log-2', segment.subarray(0, cut)), 'mark', undefined);
      if (scanSegment(segment.subarray(0, cut), 2).payloads.length === 0) continue;
      expect(await open(stopped), `cut at ${cut}`).toBe('term 2 vote b, snapshot 4@2, no entries');
    }
  });

  it('older than the one that is there changes nothing', async () => {
    const directory = playground.place(after);
    const store = new FileLogStore(directory);
    await store.open();
    await store.compact(snapshot(2, 1), 3);
    await store.close();
    expect(await open(filesOf(directory))).toBe('term 1 vote a, snapshot 3@1, 4@1 5@1');
  });

  it('of a leader replaces everything, also the tail of another history that a crash left behind it', async () => {
    const directory = playground.place(before);
    const store = new FileLogStore(directory);
    await store.open();
    await store.save(batch({ hard: hard(2, ''), snapshot: snapshot(4, 2), entries: [entry(5, 2)] }));
    await store.close();
    const installed = filesOf(directory);
    expect(await open(installed)).toBe('term 2 vote , snapshot 4@2, 5@2');
    // Stopped after the rename: entries 4 and 5 of term 1 do not follow from a snapshot of 4 at term 2.
    const older = having(having(installed, 'log-2', undefined), 'mark', undefined);
    const stopped = having(older, 'log-1', bytesOf(before, 'log-1'));
    expect(await open(stopped)).toBe('term 2 vote , snapshot 4@2, no entries');
  });
});
