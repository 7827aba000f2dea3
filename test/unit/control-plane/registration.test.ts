/** What a registration promises, on three simulated replicas of the production role. */
import { beforeEach, describe, expect, it } from 'vitest';
import { parseFunctionDocument } from '../../../src/api/spec.ts';
import type { PutRequest, PutResult } from '../../../src/api/backend.ts';
import type { ControlPlane } from '../../../src/control-plane/control-plane.ts';
import type { BatonError } from '../../../src/lib/errors.ts';
import { digest } from '../../../src/lib/ids.ts';
import { drawOptions } from '../../sim/options.ts';
import { World } from '../../sim/world.ts';

const ARTIFACT = digest('a'.repeat(64));

let world: World;
/** Of the simulated disks that hold it. */
const holders = (): string[] =>
  world.replicas.filter(({ disk }) => disk.artifacts.has(ARTIFACT)).map(({ id }) => id);
const store = (on: World['replicas']): void => {
  for (const { disk } of on) disk.artifacts.set(ARTIFACT, { digest: ARTIFACT, bytes: 1 });
};

function leader(): ControlPlane {
  const controlPlane = world.leader()?.controlPlane;
  if (controlPlane === undefined) throw new Error('nobody leads');
  return controlPlane;
}

/** In virtual time. */
async function ended<T>(promise: Promise<T>): Promise<T> {
  let isSettled = false;
  const settled = (): void => {
    isSettled = true;
  };
  promise.then(settled, settled);
  if (!(await world.scheduler.runUntil(world.nowMs + 60_000, () => isSettled))) throw new Error('no answer');
  return promise;
}

const refusal = async (promise: Promise<PutResult>): Promise<BatonError> =>
  ended(
    promise.then(
      ({ record }) => expect.unreachable(`took effect as generation ${record.generation}`),
      (error: BatonError) => error,
    ),
  );

function request(version: string, nonce: string, rest: Partial<PutRequest> = {}): PutRequest {
  const document = { name: 'fn', artifact: ARTIFACT, entry: 'index.mjs', env: { VERSION: version } };
  return {
    spec: parseFunctionDocument(document),
    requestId: { base: 0, nonce },
    ifGeneration: undefined,
    trial: false,
    ...rest,
  };
}

async function registered(): Promise<{ version: string | undefined; generation: number } | undefined> {
  const record = await ended(leader().functions()).then((list) => list[0]);
  return record && { version: record.spec.env[0]?.value, generation: record.generation };
}

async function start({ startMs }: { startMs: number }): Promise<void> {
  world = new World({ ...drawOptions(1), replicas: 3, workers: 1, dataPlanes: 0, startMs });
  await world.bootstrap();
  for (const replica of world.replicas) world.startReplica(replica);
  for (const worker of world.workers) world.startWorker(worker);
  const isUp = await world.scheduler.runUntil(20_000, () =>
    (world.leader()?.controlPlane?.workers() ?? []).some(({ state }) => state === 'alive'),
  );
  expect(isUp).toBe(true);
}

describe('an acknowledged registration', () => {
  beforeEach(() => start({ startMs: 5 }));

  it('names an artifact that a majority holds, even if the leader alone had it (A1)', async () => {
    store(world.replicas.filter((replica) => replica === world.leader()));
    await ended(leader().put(request('1', 'a')));
    expect(holders().length).toBeGreaterThanOrEqual(2);
  });

  it('names an artifact that the leader itself had to fetch', async () => {
    store(world.replicas.filter((replica) => replica !== world.leader()).slice(0, 1));
    await ended(leader().put(request('1', 'a')));
    expect(holders()).toContain(world.leader()?.id);
  });
});

describe('a request that was refused before its proposal', () => {
  beforeEach(async () => {
    await start({ startMs: 5 });
    store(world.replicas);
  });

  it('never takes effect, though the generation it wanted comes', async () => {
    const conditional = request('late', 'late', { ifGeneration: 1, trial: true });
    expect(await refusal(leader().put(conditional))).toMatchObject({
      code: 'conflict',
      fields: { path: 'ifGeneration', generation: 0 },
    });
    await ended(leader().put(request('1', 'first')));
    // What waited in a follower since the client gave up on it, with a trial and as if the client had not wanted one.
    for (const trial of [true, false]) {
      const error = await refusal(leader().put({ ...conditional, trial }));
      expect([error.code, error.message]).toEqual(['conflict', expect.stringContaining('refused before')]);
    }
    expect(await registered()).toEqual({ version: '1', generation: 1 });
  });

  it('never takes effect, though the generation it wanted is made while it is refused', async () => {
    const refused = refusal(leader().put(request('untried', 'a', { ifGeneration: 1, trial: true })));
    const made = ended(leader().put(request('1', 'b')));
    expect(await refused).toMatchObject({ code: 'conflict', fields: { generation: 0 } });
    await made;
    expect(await registered()).toEqual({ version: '1', generation: 1 });
  });

  it('never takes effect, though the artifact it lacked comes', async () => {
    for (const { disk } of world.replicas) disk.artifacts.clear();
    expect(await refusal(leader().put(request('1', 'a')))).toMatchObject({ code: 'not-found' });
    store(world.replicas);
    expect(await refusal(leader().put(request('1', 'a')))).toMatchObject({ code: 'conflict' });
    expect(await registered()).toBeUndefined();
  });

  it('leaves the function it names alone', async () => {
    await ended(leader().put(request('1', 'first')));
    await refusal(leader().put(request('2', 'second', { ifGeneration: 7, trial: true })));
    expect(await registered()).toEqual({ version: '1', generation: 1 });
  });

  it('is answered as it was decided, if it had been', async () => {
    const put = request('1', 'a', { trial: true, ifGeneration: 0 });
    const first = await ended(leader().put(put));
    for (const { disk } of world.replicas) disk.artifacts.clear();
    expect((await ended(leader().put(put))).record).toEqual(first.record);
  });

  it('is told from an id that another request has used', async () => {
    await ended(leader().put(request('1', 'a')));
    const error = await refusal(leader().put(request('2', 'a', { trial: true })));
    expect([error.code, error.message]).toEqual(['conflict', expect.stringContaining('another request')]);
  });
});

it('never registers what failed its trial, though it would start the next time', async () => {
  await start({ startMs: 60_000 });
  store(world.replicas);
  const put = request('slow', 'a', { trial: true });
  expect(await refusal(leader().put(put))).toMatchObject({ code: 'trial-failed' });
  expect(await refusal(leader().put({ ...put, trial: false }))).toMatchObject({ code: 'conflict' });
  expect(await registered()).toBeUndefined();
});
