/**
 * The log store after every crash that a disk can make of it: each file cut at each byte, each byte flipped, and each
 * state between two steps. What may come out is a prefix of what was saved, or "damaged"; never anything that was not saved.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileLogStore } from '../../../src/adapters/log-file/log-file.ts';
import { scanSegment } from '../../../src/adapters/log-file/records.ts';
import { nodeFiles } from '../../../src/adapters/system/node-files.ts';
import {
  batch,
  bytesOf,
  entry,
  filesOf,
  flip,
  hard,
  having,
  IDENTITY,
  Playground,
  said,
  snapshot,
  type Files,
} from './directory.ts';

const playground = new Playground();
afterAll(() => playground.remove());

const open = async (files: Files): Promise<string> => said(await playground.open(files));

describe('a directory', () => {
  it('that is not there, or holds nothing of a store, is empty, and open creates nothing', async () => {
    const directory = playground.fresh();
    expect(await new FileLogStore(directory).open()).toEqual({ kind: 'empty' });
    expect(() => readdirSync(directory)).toThrow('ENOENT');
    expect(await open(new Map([['notes.txt', Buffer.from('hello')]]))).toBe('empty');
  });

  it('is created whole, and reads back its identity and nothing else', async () => {
    const { store, directory } = await playground.create();
    await store.close();
    expect(await playground.open(filesOf(directory))).toEqual({
      kind: 'ready',
      identity: IDENTITY,
      hardState: { term: 0, vote: '', commit: 0 },
      snapshot: undefined,
      entries: [],
      tornBytes: 0,
    });
  });

  it('whose creation stopped half-way belongs to nobody yet', async () => {
    const { store, directory } = await playground.create();
    await store.close();
    const files = filesOf(directory);
    // The order in which create makes them.
    const hardState = [...files].filter(([name]) => name.startsWith('hard-'));
    expect(await open(new Map(hardState))).toBe('damaged: identity');
    expect(await open(having(files, 'identity', undefined))).toBe('damaged: identity');
  });

  it('belongs to one process at a time, and a dead holder’s lock is taken over', async () => {
    const { store, directory } = await playground.create();
    await expect(new FileLogStore(directory).open()).rejects.toThrow(`held by process ${process.pid}`);
    await store.close();
    // A process that cannot be, one whose number another process has by now, and one that died before it wrote its name.
    for (const holder of ['4194999 1234', `${process.pid} 1`, '']) {
      writeFileSync(join(directory, 'lock'), holder);
      const next = new FileLogStore(directory);
      expect((await next.open()).kind).toBe('ready');
      await next.close();
    }
  });

  it('that was damaged is set aside, never edited, when it is created again', async () => {
    const { store, directory } = await playground.create();
    await store.save(batch({ hard: hard(1, 'a'), entries: [entry(1, 1)] }));
    await store.close();
    const damaged = flip(readFileSync(join(directory, 'log-1')), 3, 0xff);
    writeFileSync(join(directory, 'log-1'), damaged);
    const next = new FileLogStore(directory);
    expect(await next.open()).toEqual({ kind: 'damaged', what: 'log-1' });
    await next.create({ ...IDENTITY, voter: false });
    await next.close();
    expect(await open(filesOf(directory))).toBe('term 0 vote , no snapshot, no entries');
    const aside = readdirSync(directory).find((name) => name.startsWith('damaged-')) ?? '';
    expect(readFileSync(join(directory, aside, 'log-1'))).toEqual(damaged);
    expect(readdirSync(join(directory, aside)).sort()).toEqual([
      'hard-0',
      'hard-1',
      'identity',
      'log-1',
      'mark',
    ]);
  });
});

describe('what was saved', () => {
  it('is there again: a later batch replaces everything from its first index on', async () => {
    const { store, directory } = await playground.create();
    await store.save(batch({ hard: hard(1, 'a'), entries: [entry(1, 1), entry(2, 1), entry(3, 1)] }));
    await store.save(batch({ hard: hard(2, 'b', 1), entries: [entry(2, 2)] }));
    await store.save(batch({ entries: [entry(3, 2)] }));
    await store.close();
    expect(await open(filesOf(directory))).toBe('term 2 vote b, no snapshot, 1@1 2@2 3@2');
  });

  it('is there in the order of the calls, however many were made at once', async () => {
    const { store, directory } = await playground.create();
    const order: number[] = [];
    const saves = Array.from({ length: 20 }, async (_, i) => {
      await store.save(batch({ hard: hard(1, 'a', i), entries: [entry(i + 1, 1)] }));
      order.push(i);
    });
    await Promise.all(saves);
    await store.close();
    expect(order).toEqual(Array.from({ length: 20 }, (_, i) => i));
    const opened = await playground.open(filesOf(directory));
    expect(opened).toMatchObject({ kind: 'ready', entries: order.map((i) => entry(i + 1, 1)) });
    // Calls that waited for one fsync share a record's worth of it, and nothing was written twice.
    expect(readFileSync(join(directory, 'log-1')).length).toBeLessThan(20 * 40);
  });

  it('goes on after a reopening, and after the cut of a torn tail', async () => {
    const { store, directory } = await playground.create();
    await store.save(batch({ hard: hard(1, 'a'), entries: [entry(1, 1)] }));
    await store.close();
    const torn = Buffer.concat([readFileSync(join(directory, 'log-1')), Buffer.from([9, 0, 0])]);
    writeFileSync(join(directory, 'log-1'), torn);
    const again = new FileLogStore(directory);
    expect(await again.open()).toMatchObject({ kind: 'ready', tornBytes: 3 });
    await again.save(batch({ entries: [entry(2, 1)] }));
    await again.close();
    expect(await open(filesOf(directory))).toBe('term 1 vote a, no snapshot, 1@1 2@1');
  });

  it('after a failed write is refused for good, and says what failed (F3)', async () => {
    const { store, directory } = await playground.create();
    rmSync(directory, { recursive: true });
    const failed = store.save(batch({ hard: hard(1, 'a') }));
    const behind = store.save(batch({ entries: [entry(1, 1)] }));
    await expect(failed).rejects.toMatchObject({ code: 'io', cause: { code: 'ENOENT' } });
    await expect(behind).rejects.toMatchObject({ code: 'io' });
    mkdirSync(directory);
    await expect(store.save(batch({ entries: [entry(1, 1)] }))).rejects.toMatchObject({ code: 'io' });
    await expect(store.setIdentity(IDENTITY)).rejects.toMatchObject({ code: 'io' });
    expect(readdirSync(directory)).toEqual([]);
    await store.close();
  });

  it('moves to a fresh segment once one is large, and the old one goes; not again with every batch', async () => {
    const { store, directory } = await playground.create();
    const segments = (): string[] => readdirSync(directory).filter((name) => name.startsWith('log-'));
    const big = 'x'.repeat(3 * 1024 * 1024);
    const seen: string[][] = [];
    for (const index of [1, 2, 3]) {
      await store.save(batch({ hard: hard(1, 'a'), entries: [entry(index, 1, big)] }));
      seen.push(segments());
    }
    expect(seen).toEqual([['log-1'], ['log-1'], ['log-2']]);
    await store.save(batch({ entries: [entry(3, 1)] }));
    await store.close();
    expect(segments()).toEqual(['log-2']);
    const opened = await playground.open(filesOf(directory));
    expect(opened).toMatchObject({ kind: 'ready', entries: [{ index: 1 }, { index: 2 }, entry(3, 1)] });
  });
});

describe('the log after a crash', () => {
  let files: Files;
  let log: Buffer;
  /** Where the records end, and what the store holds once each one is there. */
  let ends: number[];
  const states = [
    'no entries',
    '1@1 2@1',
    '1@1 2@1 3@1',
    // The leader of term 2 replaced what term 1 left.
    '1@1 2@2 3@2',
    '1@1 2@2 3@2 4@2',
  ];

  beforeAll(async () => {
    const { store, directory } = await playground.create();
    await store.save(batch({ hard: hard(1, 'a'), entries: [entry(1, 1), entry(2, 1)] }));
    await store.save(batch({ entries: [entry(3, 1)] }));
    await store.save(batch({ hard: hard(2, 'b'), entries: [entry(2, 2), entry(3, 2)] }));
    await store.save(batch({ entries: [entry(4, 2)] }));
    await store.close();
    files = filesOf(directory);
    log = bytesOf(files, 'log-1');
    ends = [];
    for (let at = 0; at < log.length;) {
      const { payloads } = scanSegment(log, 1);
      at += 12 + (payloads[ends.length]?.length ?? 0);
      ends.push(at);
    }
    expect(ends.length).toBe(states.length);
  });

  it('at any byte of what was not acknowledged is a prefix of what was saved; without its first record it is damaged', async () => {
    const unmarked = having(files, 'mark', undefined);
    for (let cut = 0; cut <= log.length; cut++) {
      const whole = ends.filter((end) => end <= cut).length;
      const opened = await playground.open(having(unmarked, 'log-1', log.subarray(0, cut)));
      const torn = opened.kind === 'ready' ? opened.tornBytes : cut;
      expect([said(opened), torn], `cut at ${cut} of ${log.length}`).toEqual([
        whole === 0 ? 'damaged: log-1' : `term 2 vote b, no snapshot, ${states[whole - 1] ?? ''}`,
        cut - (ends[whole - 1] ?? 0),
      ]);
    }
  });

  it('cut at any byte of what was acknowledged is damaged: no torn tail is shorter than its mark (F5)', async () => {
    for (let cut = 0; cut < log.length; cut++)
      expect(await open(having(files, 'log-1', log.subarray(0, cut))), `cut at ${cut}`).toMatch(
        /^damaged: log-1/,
      );
  });

  it('is what it is without a whole mark, which is written behind', async () => {
    const mark = bytesOf(files, 'mark');
    for (let at = 0; at < mark.length; at++) {
      for (const rotten of [mark.subarray(0, at), flip(mark, at, 0x40)])
        expect(await open(having(files, 'mark', rotten))).toContain(states.at(-1));
    }
  });

  it('with any byte changed is damaged, in the last record too: it may have been acknowledged', async () => {
    for (let at = 0; at < log.length; at++) {
      for (const mask of [0x01, 0x80, 0xff]) {
        const opened = await open(having(files, 'log-1', flip(log, at, mask)));
        expect(opened, `byte ${at} of ${log.length} with ${mask}`).toBe('damaged: log-1');
      }
    }
  });

  it('with a tail of zeros or of half a header is what was saved before', async () => {
    for (const tail of [Buffer.alloc(1), Buffer.alloc(4_096), Buffer.from([5, 0, 0, 0, 1, 2])]) {
      const opened = await playground.open(having(files, 'log-1', Buffer.concat([log, tail])));
      expect(opened).toMatchObject({ kind: 'ready', tornBytes: tail.length });
      expect(said(opened)).toContain(states.at(-1));
    }
  });

  it('without its segment is damaged, not empty', async () => {
    expect(await open(having(files, 'log-1', undefined))).toBe('damaged: log');
    const unmarked = having(files, 'mark', undefined);
    expect(await open(having(unmarked, 'log-1', undefined))).toBe('damaged: log');
    expect(await open(having(unmarked, 'log-1', Buffer.alloc(0)))).toBe('damaged: log-1');
  });

  it('whose earlier segment is cut short is damaged, while the next one has not begun', async () => {
    const segments = having(files, 'log-2', Buffer.alloc(0));
    expect(await open(segments)).toContain(states.at(-1));
    for (const cut of [1, 20, log.length - 1]) {
      expect(await open(having(segments, 'log-1', log.subarray(0, cut)))).toMatch(/^damaged: log-1/);
    }
  });
});

/** In the order in which opening a directory writes them anew. */
async function rewrittenSlots(files: Files): Promise<string[]> {
  const opened: string[] = [];
  const store = new FileLogStore(playground.place(files), {
    ...nodeFiles,
    open: (path, how) => {
      opened.push(basename(path));
      return nodeFiles.open(path, how);
    },
  });
  await store.open();
  await store.close();
  return opened.filter((name) => name.startsWith('hard-'));
}

describe('a segment that a newer one has replaced', () => {
  it('and that came back with the power is removed when the directory is opened', async () => {
    const { store, directory } = await playground.create();
    await store.save(batch({ hard: hard(1, 'a'), entries: [entry(1, 1), entry(2, 1)] }));
    const before = filesOf(directory);
    await store.compact(snapshot(1, 1), 2);
    await store.save(batch({ entries: [entry(3, 1)] }));
    await store.close();
    const back = playground.place(having(filesOf(directory), 'log-1', bytesOf(before, 'log-1')));
    const again = new FileLogStore(back);
    expect(said(await again.open())).toBe('term 1 vote a, snapshot 1@1, 2@1 3@1');
    await again.close();
    expect([...filesOf(back).keys()].filter((name) => name.startsWith('log-'))).toEqual(['log-2']);
  });
});

describe('term and vote after a crash', () => {
  let before: Files;
  let files: Files;

  beforeAll(async () => {
    const { store, directory } = await playground.create();
    await store.save(batch({ hard: hard(1, 'a'), entries: [entry(1, 1)] }));
    before = filesOf(directory);
    await store.save(batch({ hard: hard(2, 'b') }));
    await store.close();
    files = filesOf(directory);
  });

  it('are the last ones saved', async () => {
    expect(await open(files)).toBe('term 2 vote b, no snapshot, 1@1');
  });

  it('are the last ones saved whichever slot rots, at any byte', async () => {
    for (const slot of ['hard-0', 'hard-1']) {
      const bytes = bytesOf(files, slot);
      for (let at = 0; at < bytes.length; at++)
        for (const rotten of [flip(bytes, at, 0x10), bytes.subarray(0, at)])
          expect(await open(having(files, slot, rotten)), `${slot} at ${at}`).toBe(
            'term 2 vote b, no snapshot, 1@1',
          );
    }
  });

  it('are those before, or those that were being written, when the write was torn at any byte of either slot', async () => {
    for (const [slot, other] of [
      ['hard-0', before],
      ['hard-1', files],
    ] as const) {
      const bytes = bytesOf(files, slot);
      for (let cut = 0; cut < bytes.length; cut++) {
        // What the slot held before is beneath.
        const under = Buffer.concat([bytes.subarray(0, cut), bytesOf(before, slot).subarray(cut)]);
        const otherSlot = slot === 'hard-0' ? 'hard-1' : 'hard-0';
        const torn = having(having(files, slot, under), otherSlot, bytesOf(other, otherSlot));
        expect(await open(torn), `${slot} cut at ${cut}`).toBe(
          slot === 'hard-0' ? 'term 1 vote a, no snapshot, 1@1' : 'term 2 vote b, no snapshot, 1@1',
        );
      }
    }
  });

  it('are in both slots again once the directory was opened', async () => {
    for (const slot of ['hard-0', 'hard-1']) {
      const directory = playground.place(having(files, slot, bytesOf(before, slot)));
      const store = new FileLogStore(directory);
      await store.open();
      await store.close();
      const after = filesOf(directory);
      for (const lost of ['hard-0', 'hard-1'])
        expect(await open(having(after, lost, undefined))).toBe('term 2 vote b, no snapshot, 1@1');
    }
  });

  it('are written first to the slot that is torn: a second crash finds the good one untouched', async () => {
    for (const slot of ['hard-0', 'hard-1'])
      expect((await rewrittenSlots(having(files, slot, Buffer.from('torn'))))[0]).toBe(slot);
  });

  it('are written first to the slot that was written last: its sync may not have returned', async () => {
    // Power, or a kill, between the two: hard-0 is new and perhaps in the cache alone, hard-1 is as it was.
    const between = having(files, 'hard-1', bytesOf(before, 'hard-1'));
    for (const [there, first] of [
      [between, 'hard-0'],
      [files, 'hard-1'],
    ] as const)
      expect((await rewrittenSlots(there))[0]).toBe(first);
  });

  it('are damaged when both slots are, and when the log is of a later term than they', async () => {
    const none = having(having(files, 'hard-0', undefined), 'hard-1', Buffer.from('rubbish'));
    expect(await open(none)).toBe('damaged: hard-0 and hard-1');
    const directory = playground.place(files);
    const store = new FileLogStore(directory);
    await store.open();
    await store.save(batch({ hard: hard(3, 'c'), entries: [entry(2, 3)] }));
    await store.close();
    const later = filesOf(directory);
    expect(await open(later)).toBe('term 3 vote c, no snapshot, 1@1 2@3');
    const older = having(
      having(later, 'hard-0', bytesOf(files, 'hard-0')),
      'hard-1',
      bytesOf(files, 'hard-1'),
    );
    expect(await open(older)).toBe('damaged: hard-0 and hard-1');
  });
});
