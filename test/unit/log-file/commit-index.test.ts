/**
 * The commit index that a crash leaves behind vouches for entries that are there: one that is ahead of them would call entries
 * committed that the same save was about to replace.
 */
import { expect, it } from 'vitest';
import { FileLogStore } from '../../../src/adapters/log-file/log-file.ts';
import { prng } from '../../../src/lib/prng.ts';
import type { OpenedStore, SaveBatch } from '../../../src/ports/log-store.ts';
import { SimProcess } from '../../sim/process.ts';
import { Scheduler } from '../../sim/scheduler.ts';
import { SimDrive, SimFiles } from '../../sim/sim-files.ts';
import { batch, entry, hard, IDENTITY, snapshot } from './directory.ts';

const terms = (from: number, to: number, term: number): ReturnType<typeof entry>[] =>
  Array.from({ length: to - from + 1 }, (_, i) => entry(from + i, term));

/** Entries 5 to 7 lost the election that the next save tells of. */
const BEFORE = batch({ hard: hard(1, 'r1', 4), entries: terms(1, 7, 1) });

/** What is found after power was lost at the `count`th moment of the save: before or after a sync. Undefined: it has fewer. */
async function crashedAt(count: number, save: SaveBatch, seed: number): Promise<OpenedStore | undefined> {
  const scheduler = new Scheduler();
  const drive = new SimDrive(false);
  const random = prng(seed);
  const finish = async <T>(work: Promise<T>, process: SimProcess): Promise<T | undefined> => {
    let result: { readonly value: T } | undefined;
    void work.then((value) => (result = { value }));
    await scheduler.runUntil(scheduler.nowMs + 1_000, () => result !== undefined || !process.alive);
    return result?.value;
  };
  const life = (name: string): { store: FileLogStore; process: SimProcess } => {
    const process = new SimProcess(name, scheduler);
    return { store: new FileLogStore('/raft', new SimFiles(drive, process, random.fork(name))), process };
  };
  const first = life('first');
  await finish(first.store.create(IDENTITY), first.process);
  await finish(first.store.save(BEFORE), first.process);
  let moments = 0;
  drive.onSync = () => {
    if (++moments === count) first.process.kill();
  };
  await finish(first.store.save(save), first.process);
  if (first.process.alive) return undefined;
  drive.onSync = undefined;
  const second = life('second');
  return finish(second.store.open(), second.process);
}

it.each([
  ['entries that replace others', batch({ hard: hard(2, '', 9), entries: terms(5, 9, 2) })],
  ['a snapshot', batch({ hard: hard(2, '', 9), snapshot: snapshot(9, 2) })],
])('is not on the disk before %s', async (_what, save) => {
  let crashes = 0;
  for (let seed = 0; seed < 12; seed++)
    for (let count = 1; ; count++) {
      const found = await crashedAt(count, save, seed);
      if (found === undefined) break;
      crashes++;
      expect(found.kind).toBe('ready');
      if (found.kind !== 'ready') continue;
      const { hardState, snapshot: state, entries } = found;
      const committed = entries.filter(({ index }) => index <= hardState.commit);
      const lost = committed.filter(({ index, term }) => index > 4 && term === 1);
      expect(lost, `commit ${hardState.commit}, seed ${seed}, moment ${count}`).toEqual([]);
      expect(hardState.commit).toBeLessThanOrEqual(Math.max(state?.index ?? 0, entries.at(-1)?.index ?? 0));
    }
  // Both slots, and the log or the snapshot with its new segment, before and after.
  expect(crashes).toBeGreaterThanOrEqual(12 * 6);
});
