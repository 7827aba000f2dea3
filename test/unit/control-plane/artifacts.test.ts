/** A1 and A3: what a registration names is on a majority, and what was counted there stays. Real stores, three replicas. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FileArtifactStore } from '../../../src/adapters/artifact-file/artifact-file.ts';
import { Artifacts } from '../../../src/control-plane/artifacts.ts';
import { BatonError } from '../../../src/lib/errors.ts';
import { digest, replicaId, type Digest } from '../../../src/lib/ids.ts';
import type { ArtifactPeers } from '../../../src/ports/artifact-peers.ts';
import type { Logger } from '../../../src/ports/system.ts';
import { ManualClock } from '../turn-loop/manual-clock.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const members = ['r1', 'r2', 'r3'].map((id) => ({ id: replicaId(id), http: `http://${id}` }));
const quiet: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => quiet,
};

interface Replica {
  readonly store: FileArtifactStore;
  readonly artifacts: Artifacts;
}

let directory: string;
let clock: ManualClock;
let replicas: Map<string, Replica>;
let down: Set<string>;
/** Members asked to hold something, in order. */
let asked: string[];
let named: Set<Digest>;
let term: number;

const peers: ArtifactPeers = {
  fetch: (from, id) => reach(from).artifacts.read(id),
  async askToHold(to, id, source) {
    asked.push(to);
    await Promise.resolve();
    await reach(to).artifacts.hold(id, source);
  },
  askToReplicate: (to, id, source) => reach(to).artifacts.replicate(id, source),
};

function reach(http: string): Replica {
  const replica = replicas.get(http);
  if (replica === undefined || down.has(http)) throw new BatonError('disconnected', `no answer from ${http}`);
  return replica;
}

const leader = (): Replica => reach('http://r1');
const holders = (id: Digest): string[] =>
  [...replicas].filter(([, { store }]) => store.has(id)).map(([http]) => http);

async function* content(text: string): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(Buffer.from(text));
}
const digestOf = (text: string): Digest => digest(createHash('sha256').update(text).digest('hex'));
const ARTIFACT = digestOf('a function');
const uploadTo = (http: string): Promise<unknown> => reach(http).artifacts.put(content('a function'));

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'baton-artifacts-'));
  clock = new ManualClock();
  down = new Set();
  asked = [];
  named = new Set();
  term = 1;
  replicas = new Map();
  for (const self of members) {
    const store = new FileArtifactStore(join(directory, self.id));
    const artifacts = new Artifacts(
      {
        self,
        members,
        pullTimeoutMs: 1_000,
        keepUnnamedMs: HOUR_MS,
        sweepEveryMs: 10 * MINUTE_MS,
        confirmations: { digests: 2, keepMs: 5 * MINUTE_MS },
      },
      { clock, store, peers, logger: quiet },
      { named: () => named, isNamed: (digest) => named.has(digest), term: () => term },
    );
    artifacts.start();
    replicas.set(self.http, { store, artifacts });
  }
});
afterEach(() => {
  for (const { artifacts } of replicas.values()) artifacts.stop();
  // The third replica may still be pulling.
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
});

const noQuorum = expect.objectContaining({ code: 'no-quorum' }) as Error;

it('refuses what a failed upload left on the leader alone, and brings it to a majority once there is one', async () => {
  down = new Set(['http://r2', 'http://r3']);
  await uploadTo('http://r1');
  await expect(leader().artifacts.replicate(ARTIFACT, 'http://r1')).rejects.toEqual(noQuorum);
  await expect(leader().artifacts.secure(ARTIFACT)).rejects.toEqual(noQuorum);
  down = new Set(['http://r2']);
  await leader().artifacts.secure(ARTIFACT);
  expect(holders(ARTIFACT)).toEqual(['http://r1', 'http://r3']);
});

it('asks nobody when a function names it already', async () => {
  await uploadTo('http://r1');
  named.add(ARTIFACT);
  down = new Set(['http://r2', 'http://r3']);
  await leader().artifacts.secure(ARTIFACT);
  expect(asked).toEqual([]);
});

it('asks nobody right after the upload, but again in another term, after a while, and when others took its place', async () => {
  await uploadTo('http://r1');
  await leader().artifacts.replicate(ARTIFACT, 'http://r1');
  const asksAgain = async (): Promise<boolean> => {
    asked = [];
    await leader().artifacts.secure(ARTIFACT);
    return asked.length > 0;
  };
  expect(await asksAgain()).toBe(false);
  term = 2;
  expect(await asksAgain()).toBe(true);
  expect(await asksAgain()).toBe(false);
  clock.advance(5 * MINUTE_MS);
  expect(await asksAgain()).toBe(true);
  for (const text of ['b', 'c']) {
    const stored = await leader().artifacts.put(content(text));
    await leader().artifacts.replicate(stored.digest, 'http://r1');
  }
  expect(await asksAgain()).toBe(true);
});

it('does not take a majority that an older term counted for one of the new term', async () => {
  await uploadTo('http://r1');
  const counted = leader().artifacts.replicate(ARTIFACT, 'http://r1');
  term = 2;
  await counted;
  asked = [];
  await leader().artifacts.secure(ARTIFACT);
  expect(asked).not.toEqual([]);
});

it('fetches what a leader before it took from whoever has it, and says when nobody has', async () => {
  await uploadTo('http://r3');
  await leader().artifacts.secure(ARTIFACT);
  expect(holders(ARTIFACT)).toContain('http://r1');
  await expect(leader().artifacts.secure(digestOf('never uploaded'))).rejects.toEqual(
    expect.objectContaining({ code: 'not-found', fields: { path: 'artifact' } }),
  );
});

it('does not call missing what members that do not answer may hold', async () => {
  down = new Set(['http://r2', 'http://r3']);
  await expect(leader().artifacts.secure(ARTIFACT)).rejects.toEqual(noQuorum);
  down = new Set(['http://r3']);
  await expect(leader().artifacts.secure(ARTIFACT)).rejects.toEqual(
    expect.objectContaining({ code: 'not-found' }),
  );
});

it('keeps for an hour what it said it holds, however old the file', async () => {
  await uploadTo('http://r2');
  await pass(50 * MINUTE_MS);
  down = new Set(['http://r3']);
  await leader().artifacts.replicate(ARTIFACT, 'http://r2');
  await pass(50 * MINUTE_MS);
  expect(holders(ARTIFACT)).toEqual(['http://r1', 'http://r2']);
  await pass(20 * MINUTE_MS);
  expect(holders(ARTIFACT)).toEqual([]);
});

it('keeps for an hour what a function has named, however old the file', async () => {
  await uploadTo('http://r2');
  named.add(ARTIFACT);
  await pass(2 * HOUR_MS);
  named.delete(ARTIFACT);
  await pass(50 * MINUTE_MS);
  expect(holders(ARTIFACT)).toEqual(['http://r2']);
  await pass(20 * MINUTE_MS);
  expect(holders(ARTIFACT)).toEqual([]);
});

/** Sweep by sweep, each to its end: a replica's sweep ends by setting the timer of its next. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 10 * MINUTE_MS) {
    clock.advance(10 * MINUTE_MS);
    await expect.poll(() => clock.timers, { interval: 1 }).toBe(members.length);
  }
}
