/**
 * The way to one sandbox of a function is slow, narrow, cut into slices, shut, reset or silent. Requests that can go to another
 * one do; only who was sent into silence, or was reset beyond the budget for second tries, may be told so, and no neighbour
 * notices.
 */
import { ailDoor, doorKinds } from '../faults/doors.ts';
import type { Scenario } from '../scenario.ts';
import { siege } from '../siege.ts';
import { sentIntoSilence } from '../verifiers/excuses.ts';

/** Of the functions: nobody waits for longer. */
const SILENCE_MS = 2_000;

export const sandboxLink: Scenario = siege({
  name: 'sandbox-link',
  about: 'the way from data planes to a sandbox, ailing in every way',
  plan: { runtime: 'process', proxied: ['sandboxes'] },
  traffic: { timeoutMs: SILENCE_MS, cold: { functions: 8, everyMs: 2_500 } },
  strike: async (play, random, n) => {
    const kind = doorKinds[(play.world.options.seed + n) % doorKinds.length];
    if (kind !== undefined) await ailDoor(play, random, kind);
  },
  leaderChanges: () => 0,
  isStable: false,
  isExcused: ({ chronicle }, failure) => sentIntoSilence(chronicle.faults, failure, SILENCE_MS),
});
