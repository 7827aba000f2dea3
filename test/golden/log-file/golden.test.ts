/**
 * A replica's directory as the first version left it. Whatever comes later must open it: see golden/wire for the rule about
 * fixtures.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FileLogStore } from '../../../src/adapters/log-file/log-file.ts';
import { clusterId, replicaId } from '../../../src/lib/ids.ts';
import type { OpenedStore, StoredEntry, StoreIdentity } from '../../../src/ports/log-store.ts';

const FILES = ['hard-0', 'hard-1', 'identity', 'log-2', 'mark', 'snapshot'];

const IDENTITY: StoreIdentity = {
  cluster: clusterId('golden'),
  replica: replicaId('r2'),
  epoch: 3,
  incarnationMs: 1_700_000_000_000,
  voter: true,
  votesAboveTerm: 5,
};

const entry = (index: number, term: number, ...data: number[]): StoredEntry => ({
  index,
  term,
  data: Uint8Array.from(data),
});

const STATE: OpenedStore = {
  kind: 'ready',
  identity: IDENTITY,
  hardState: { term: 7, vote: 'r1', commit: 4 },
  snapshot: { index: 2, term: 6, data: Uint8Array.of(0xfe, 0xed) },
  entries: [entry(3, 6, 3), entry(4, 7), entry(5, 7, 5, 5)],
  tornBytes: 0,
};

/** Views of one file's bytes are bytes. */
function plain(opened: OpenedStore): OpenedStore {
  if (opened.kind !== 'ready') return opened;
  return {
    ...opened,
    snapshot: opened.snapshot && { ...opened.snapshot, data: Uint8Array.from(opened.snapshot.data) },
    entries: opened.entries.map((one) => ({ ...one, data: Uint8Array.from(one.data) })),
  };
}

const fixture = (name: string): string =>
  readFileSync(new URL(`${name}.hex`, import.meta.url), 'utf8').trim();

let directory: string;
beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'baton-golden-')), 'raft');
});
afterEach(() => rmSync(join(directory, '..'), { recursive: true, force: true }));

it('is opened with everything that it held, and goes on', async () => {
  mkdirSync(directory);
  for (const name of FILES) writeFileSync(join(directory, name), Buffer.from(fixture(name), 'hex'));
  const store = new FileLogStore(directory);
  expect(plain(await store.open())).toEqual(STATE);
  await store.save({
    hardState: { term: 8, vote: '', commit: 5 },
    entries: [entry(6, 8, 6)],
    snapshot: undefined,
  });
  await store.close();
  const again = new FileLogStore(directory);
  expect(plain(await again.open())).toEqual({
    ...STATE,
    hardState: { term: 8, vote: '', commit: 5 },
    entries: [entry(3, 6, 3), entry(4, 7), entry(5, 7, 5, 5), entry(6, 8, 6)],
  });
  await again.close();
});

it('is read where its slots were written in turn, and no mark was', async () => {
  mkdirSync(directory);
  for (const name of FILES.filter((file) => file !== 'mark')) {
    const kept = name.startsWith('hard-') ? `${name}-in-turn` : name;
    writeFileSync(join(directory, name), Buffer.from(fixture(kept), 'hex'));
  }
  const store = new FileLogStore(directory);
  expect(plain(await store.open())).toEqual(STATE);
  await store.close();
});

it('is still written like that', async () => {
  const store = new FileLogStore(directory);
  await store.create(IDENTITY);
  await store.save({
    hardState: { term: 6, vote: '', commit: 0 },
    entries: [entry(1, 6), entry(2, 6, 2), entry(3, 6, 3)],
    snapshot: undefined,
  });
  await store.compact({ index: 2, term: 6, data: Uint8Array.of(0xfe, 0xed) }, 3);
  await store.save({
    hardState: { term: 7, vote: 'r1', commit: 4 },
    entries: [entry(4, 7), entry(5, 7, 5, 5)],
    snapshot: undefined,
  });
  await store.close();
  const written = readdirSync(directory).sort();
  expect(written).toEqual(FILES);
  for (const name of FILES) {
    expect(readFileSync(join(directory, name)).toString('hex'), name).toBe(fixture(name));
  }
});
