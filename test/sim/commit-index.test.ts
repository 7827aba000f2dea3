/**
 * A deposed leader wakes up to everything that its successor has sent meanwhile: the new term, and entries, already committed, in
 * place of its own that lost. All of it is one save, and power goes at every moment of it. What it calls committed afterwards must
 * be what the others committed, so that it can go on with them.
 */
import { documentToWire } from '../../src/api/document.ts';
import { parseFunctionDocument, toFunctionDocument } from '../../src/api/spec.ts';
import { expect, it } from 'vitest';
import { ARTIFACT } from './clients.ts';
import { drawOptions } from './options.ts';
import { Oracles } from './oracles.ts';
import { World, type SimReplica } from './world.ts';

const PATIENCE_MS = 10_000;
const HEARTBEATS_MS = 300;

async function until(world: World, what: string, isSo: () => boolean): Promise<void> {
  const came = await world.scheduler.runUntil(world.nowMs + PATIENCE_MS, isSo);
  expect(came, `${what}: ${world.violations.join('; ')}`).toBe(true);
}

const lastIndex = ({ disk }: SimReplica): number =>
  disk.log.entries.at(-1)?.index ?? disk.log.snapshot?.index ?? 0;

/** Its answer may never come. */
function register(world: World, replica: SimReplica, version: number): void {
  const name = 'contested';
  const document = parseFunctionDocument({ name, artifact: ARTIFACT, entry: 'index.mjs' });
  const fields = {
    ...documentToWire(toFunctionDocument(document)),
    env: { VERSION: String(version) },
  };
  const requestId = `${replica.controlPlane?.raft().commit ?? 0}-version-${version}`;
  void replica.service
    ?.call('putFunction', { function: fields, requestId, ifGeneration: undefined, trial: false }, false)
    .catch(() => undefined);
}

async function startCluster(seed: number): Promise<{ world: World; oracles: Oracles }> {
  const world = new World({ ...drawOptions(seed), replicas: 3 });
  const oracles = new Oracles(world);
  await world.bootstrap();
  for (const replica of world.replicas) {
    replica.disk.artifacts.set(ARTIFACT, { digest: ARTIFACT, bytes: 1 });
    world.startReplica(replica);
  }
  await until(world, 'a leader', () => world.leader() !== undefined);
  return { world, oracles };
}

/** @returns the leader of before, stopped, with an entry that nobody else has, and a successor's messages waiting for it */
async function depose(world: World): Promise<SimReplica> {
  const deposed = world.leader();
  if (deposed === undefined) throw new Error('nobody leads');
  const noOp = lastIndex(deposed);
  register(world, deposed, 1);
  await until(world, 'the first version everywhere', () =>
    world.replicas.every(({ controlPlane }) => (controlPlane?.raft().applied ?? 0) > noOp),
  );
  const others = world.replicas.filter((replica) => replica !== deposed);
  for (const other of others) world.network.cut(deposed.id, other.id);
  const before = lastIndex(deposed);
  register(world, deposed, 2);
  await until(world, 'an entry of its own', () => lastIndex(deposed) > before);
  deposed.process?.pause();
  for (const other of others) world.network.join(deposed.id, other.id);
  await until(world, 'a successor', () => others.includes(world.leader() ?? deposed));
  // What comes after the first commit of the new term tells of it, together with the entries.
  for (const version of [3, 4]) {
    const successor = others.find((replica) => replica === world.leader());
    if (successor === undefined) throw new Error('nobody succeeded');
    const last = lastIndex(successor);
    register(world, successor, version);
    await until(world, `version ${version}`, () => (successor.controlPlane?.raft().commit ?? 0) > last);
    await world.scheduler.runUntil(world.nowMs + HEARTBEATS_MS);
  }
  return deposed;
}

/** The save in which power was lost told of a new term, of other entries, and of their commitment, all at once. */
const toldAll = ({ disk: { log, unsettled } }: SimReplica): boolean =>
  unsettled.some(
    ({ hardState, entries: [first] }) =>
      hardState !== undefined &&
      first !== undefined &&
      hardState.term > log.term &&
      hardState.commit >= first.index,
  );

type Loss = 'none: there were not so many moments' | 'in another save' | 'in the save that told all';

/** Power goes at the `count`th moment of the woken leader's saves. */
async function loseAt(count: number, seed: number): Promise<Loss> {
  const { world, oracles } = await startCluster(seed);
  const deposed = await depose(world);
  let moments = 0;
  deposed.disk.drive.onSync = () => {
    if (++moments === count) deposed.process?.kill();
  };
  deposed.process?.resume();
  const isUpToDate = (): boolean => {
    oracles.sample();
    const applied = world.replicas.map(({ controlPlane }) => controlPlane?.raft().applied);
    const hashes = world.replicas.map(({ controlPlane }) => controlPlane?.stateHash());
    return world.leader() !== undefined && new Set(applied).size === 1 && new Set(hashes).size === 1;
  };
  await world.scheduler.runUntil(
    world.nowMs + PATIENCE_MS,
    () => deposed.process?.alive === false || isUpToDate(),
  );
  const isCrashed = deposed.process?.alive === false;
  const isToldAll = toldAll(deposed);
  deposed.disk.drive.onSync = undefined;
  if (isCrashed) world.startReplica(deposed);
  await world.scheduler.runUntil(
    world.nowMs + PATIENCE_MS,
    () => world.violations.length > 0 || (deposed.controlPlane?.isReady() === true && isUpToDate()),
  );
  expect(world.violations, world.trace.lines.join('\n')).toEqual([]);
  expect(isUpToDate(), world.trace.lines.join('\n')).toBe(true);
  if (!isCrashed) return 'none: there were not so many moments';
  return isToldAll ? 'in the save that told all' : 'in another save';
}

it('a deposed leader that loses power while it takes its successor’s word calls nothing committed that has lost', async () => {
  const losses = { 'in another save': 0, 'in the save that told all': 0 };
  for (let seed = 1; seed <= 6; seed++)
    for (let count = 1; ; count++) {
      const loss = await loseAt(count, seed);
      if (loss === 'none: there were not so many moments') break;
      losses[loss]++;
    }
  // Before and after the sync of each slot.
  expect(losses['in the save that told all']).toBeGreaterThanOrEqual(3 * 4);
});
