/** What a replica tells registrars is judged: a code that the registry has no reason for passes for no lost answer. */
import { expect, it } from 'vitest';
import { BatonError, type ErrorCode } from '../../src/lib/errors.ts';
import { ARTIFACT } from './clients.ts';
import { drawOptions } from './options.ts';
import { Registrars } from './registrars.ts';
import { World } from './world.ts';

const PATIENCE_MS = 10_000;

/** @returns the violations of a while in which every answer is this error */
async function violationsUnder(code: ErrorCode): Promise<readonly string[]> {
  const world = new World({ ...drawOptions(1), replicas: 1, registrars: 2, operateEveryMs: 100 });
  await world.bootstrap();
  for (const replica of world.replicas) {
    replica.disk.artifacts.set(ARTIFACT, { digest: ARTIFACT, bytes: 1 });
    world.startReplica(replica);
    replica.service = { call: () => Promise.reject(new BatonError(code, 'so it says')) };
  }
  const leads = await world.scheduler.runUntil(world.nowMs + PATIENCE_MS, () => world.leader() !== undefined);
  expect(leads).toBe(true);
  const registrars = new Registrars(world);
  registrars.start();
  await world.scheduler.runUntil(world.nowMs + PATIENCE_MS, () => world.violations.length > 0);
  registrars.stop();
  return world.violations;
}

it('an error that no client should get is a violation', async () => {
  expect((await violationsUnder('io'))[0]).toMatch(/: API: (get|put|delete) lin-\d was told io: so it says$/);
});

it('an error that leaves the outcome open is none', async () => {
  expect(await violationsUnder('outcome-unknown')).toEqual([]);
});
