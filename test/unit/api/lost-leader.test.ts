/** "no-leader" says that nothing happened, so it is not said of a mutation that a lost leader may have taken. */
import { expect, it } from 'vitest';
import type { ControlPlaneBackend } from '../../../src/api/backend.ts';
import { ApiService } from '../../../src/api/service.ts';
import { BatonError } from '../../../src/lib/errors.ts';
import { Scheduler } from '../../sim/scheduler.ts';
import { SimProcess } from '../../sim/process.ts';

/** @returns what a replica says that sees a leader until `forward` has been called, and none from then on */
async function told(method: 'putFunction' | 'getFunction', led: boolean): Promise<unknown> {
  const scheduler = new Scheduler();
  let isLed = led;
  const backend = {
    self: { id: 'r1' },
    members: [],
    leader: () => (isLed ? { kind: 'other', member: { id: 'r2' } } : { kind: 'none' }),
    raft: () => ({ reachable: [], nonVoters: [] }),
  } as unknown as ControlPlaneBackend;
  const loseIt = (): Promise<never> => {
    isLed = false;
    return Promise.reject(new BatonError('disconnected', 'the replica died'));
  };
  const service = new ApiService(backend, loseIt, new SimProcess('r1', scheduler).clock, {
    pid: 1,
    version: 'test',
    leaderWaitMs: 100,
    peerTimeoutMs: 100,
  });
  let said: unknown;
  service.call(method, {} as never, false).catch((error: unknown) => (said = error));
  await scheduler.runUntil(1_000, () => said !== undefined);
  return said;
}

it('a registration that a lost leader had is of unknown outcome', async () => {
  expect(await told('putFunction', true)).toMatchObject({ code: 'outcome-unknown' });
});

it('a registration that no leader had did not happen', async () => {
  expect(await told('putFunction', false)).toMatchObject({ code: 'no-leader' });
});

it('a read that nobody answered is only that', async () => {
  expect(await told('getFunction', true)).toMatchObject({ code: 'no-leader' });
});
