/** A log that holds a command of a newer version: whoever does not know it stops, because to skip it would fork the state. */
import { expect, it } from 'vitest';
import { drawOptions } from './options.ts';
import { World } from './world.ts';

/** Field 99 of the envelope: a command that this version has no name for. */
const UNKNOWN = Uint8Array.from([0x98, 0x06, 0x01]);

it('stops each replica that would apply it, and the last one has nobody to commit it with', async () => {
  const world = new World({ ...drawOptions(1), replicas: 3 });
  await world.bootstrap({
    hardState: { term: 1, vote: '', commit: 0 },
    entries: [{ index: 1, term: 1, data: UNKNOWN }],
    snapshot: undefined,
  });
  for (const replica of world.replicas) world.startReplica(replica);
  await world.scheduler.runUntil(10_000, () => world.alive(world.replicas).length === 1);
  expect(world.violations).toEqual([
    expect.stringContaining('cannot go on: entry 1 cannot be applied by this version'),
    expect.stringContaining('cannot go on: entry 1 cannot be applied by this version'),
  ]);
  const left = world.alive(world.replicas);
  expect(left.map(({ controlPlane }) => controlPlane?.raft().applied)).toEqual([0]);
});
