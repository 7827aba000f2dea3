/** F1 on a file system that keeps account of what is not synced: nothing is left when a promise has resolved. */
import { basename, dirname } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { FileLogStore } from '../../../src/adapters/log-file/log-file.ts';
import { nodeFiles } from '../../../src/adapters/system/node-files.ts';
import type { Files, OpenFile } from '../../../src/ports/files.ts';
import { batch, entry, hard, IDENTITY, Playground, snapshot } from './directory.ts';

/** Says of itself that it is written behind: F5 only ever gains by it. */
const NEVER_SYNCED = 'mark';

/** The real file system, and the names of files and folders whose last change a power cut may take back. */
function accounted(): { files: Files; unsynced: Set<string> } {
  const unsynced = new Set<string>();
  const changed = (path: string): void => {
    if (basename(path) !== NEVER_SYNCED) unsynced.add(path);
  };
  const files: Files = {
    ...nodeFiles,
    async open(path, how): Promise<OpenFile> {
      if (how === 'create' && basename(path) !== NEVER_SYNCED) changed(dirname(path));
      const file = await nodeFiles.open(path, how);
      return {
        write: (bytes, position) => {
          changed(path);
          return file.write(bytes, position);
        },
        datasync: async () => {
          await file.datasync();
          unsynced.delete(path);
        },
        close: () => file.close(),
      };
    },
    async rename(from, to) {
      await nodeFiles.rename(from, to);
      changed(dirname(to));
    },
    async syncFolder(path) {
      await nodeFiles.syncFolder(path);
      unsynced.delete(path);
    },
  };
  return { files, unsynced };
}

const playground = new Playground();
afterAll(() => playground.remove());

it('creates, saves and compacts, and each time has synced every file and folder that it changed', async () => {
  const { files, unsynced } = accounted();
  const store = new FileLogStore(playground.fresh(), files);
  await store.create(IDENTITY);
  expect([...unsynced]).toEqual([]);
  await store.save(batch({ hard: hard(1, 'r1'), entries: [entry(1, 1), entry(2, 1)] }));
  expect([...unsynced]).toEqual([]);
  await store.save(batch({ entries: [entry(3, 1)] }));
  expect([...unsynced]).toEqual([]);
  await store.save(batch({ hard: hard(2, 'r2') }));
  expect([...unsynced]).toEqual([]);
  await store.compact(snapshot(2, 1), 3);
  expect([...unsynced]).toEqual([]);
  await store.save(batch({ snapshot: snapshot(9, 2), entries: [entry(10, 2)] }));
  expect([...unsynced]).toEqual([]);
  await store.setIdentity({ ...IDENTITY, incarnationMs: 18 });
  expect([...unsynced]).toEqual([]);
  await store.close();
});
