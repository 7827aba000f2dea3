import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SourceWatch } from '../../../src/bin/processes/source-watch.ts';

let folder: string;
let watch: SourceWatch;
let stopping: AbortController;
const file = (name: string): string => join(folder, name);
const write = (name: string): void => writeFileSync(file(name), String(Math.random()));
/** The changes that were told of, until now. */
let told: (readonly string[])[];

async function listen(): Promise<void> {
  for (;;) {
    const names = await watch.settled(stopping.signal);
    if (stopping.signal.aborted) return;
    told.push(names);
  }
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'baton-watch-'));
  mkdirSync(file('lib'));
  for (const name of ['entry.ts', 'lib/helper.ts', 'notes.txt']) write(name);
  watch = new SourceWatch();
  stopping = new AbortController();
  told = [];
  void listen();
});
afterEach(() => {
  stopping.abort();
  watch.close();
  rmSync(folder, { recursive: true });
});

const TOLD = { interval: 5, timeout: 10_000 };

describe('the sources of a function', () => {
  it('are watched wherever they lie, and through an editor’s replacement', async () => {
    watch.follow({ files: [file('entry.ts'), file('lib/helper.ts')], tree: undefined });
    write('lib/helper.ts');
    await expect.poll(() => told, TOLD).toEqual([['helper.ts']]);
    write('entry.ts.tmp');
    renameSync(file('entry.ts.tmp'), file('entry.ts'));
    await expect.poll(() => told, TOLD).toEqual([['helper.ts'], ['entry.ts']]);
  });

  it('are all that counts in their folder, unless anything does', async () => {
    const sources = { files: [file('entry.ts')], tree: undefined };
    watch.follow(sources);
    write('notes.txt');
    write('entry.ts');
    await expect.poll(() => told, TOLD).toEqual([['entry.ts']]);
    watch.follow(sources, true);
    write('notes.txt');
    await expect.poll(() => told, TOLD).toEqual([['entry.ts'], ['notes.txt']]);
  });

  it('are whatever is below a directory that is the function', async () => {
    watch.follow({ files: [], tree: folder });
    write('lib/helper.ts');
    await expect.poll(() => told, TOLD).toEqual([['lib/helper.ts']]);
  });

  it('are told of once they are as they should be: a save of many writes is one change', async () => {
    watch.follow({ files: [file('entry.ts')], tree: undefined });
    for (let n = 0; n < 20; n++) write('entry.ts');
    await expect.poll(() => told, TOLD).toEqual([['entry.ts']]);
  });
});
