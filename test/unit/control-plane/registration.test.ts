/** What a registration promises, on three simulated replicas of the production role. */
import { beforeEach, describe, expect, it } from 'vitest';
import { parseFunctionDocument } from '../../../src/api/spec.ts';
import type { PutRequest } from '../../../src/api/backend.ts';
import type { ControlPlane } from '../../../src/control-plane/control-plane.ts';
import { digest } from '../../../src/lib/ids.ts';
import { drawOptions } from '../../sim/options.ts';
import { World } from '../../sim/world.ts';

const ARTIFACT = digest('a'.repeat(64));

let world: World;
/** Of the simulated disks that hold it. */
const holders = (): string[] =>
  world.replicas.filter(({ disk }) => disk.artifacts.has(ARTIFACT)).map(({ id }) => id);
const store = (on: World['replicas']): void => {
  for (const { disk } of on) disk.artifacts.set(ARTIFACT, { digest: ARTIFACT, bytes: 1, touchedMs: 0 });
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

function request(version: string, nonce: string): PutRequest {
  const document = { name: 'fn', artifact: ARTIFACT, entry: 'index.mjs', env: { VERSION: version } };
  return {
    spec: parseFunctionDocument(document),
    requestId: { base: 0, nonce },
    ifGeneration: undefined,
    trial: false,
  };
}

async function start(): Promise<void> {
  world = new World({ ...drawOptions(1), replicas: 3, workers: 1, dataPlanes: 0 });
  await world.bootstrap();
  for (const replica of world.replicas) world.startReplica(replica);
  for (const worker of world.workers) world.startWorker(worker);
  const isUp = await world.scheduler.runUntil(20_000, () =>
    (world.leader()?.controlPlane?.workers() ?? []).some(({ state }) => state === 'alive'),
  );
  expect(isUp).toBe(true);
}

describe('an acknowledged registration', () => {
  beforeEach(start);

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
