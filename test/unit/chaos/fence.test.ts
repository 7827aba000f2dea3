/** FENCE: whoever has acted under a term acts under none below it. */
import { expect, it } from 'vitest';
import { FenceWitness, judgeFences } from '../../../chaos/verifiers/fence.ts';

function seen(...acts: [participant: string, epoch: number, term: number][]): FenceWitness {
  const witness = new FenceWitness();
  for (const [participant, epoch, term] of acts) witness.see(participant, { epoch, term });
  return witness;
}

it('lets each participant go on and rise, in its own time', () => {
  expect(judgeFences(seen(['w1', 1, 2], ['w1', 1, 2], ['w2', 1, 1], ['w1', 1, 4]))).toEqual({
    ok: true,
    what: '4 acts of 2 participants',
  });
});

it('sees a participant that goes back, also once and for one act', () => {
  expect(judgeFences(seen(['w1', 1, 4], ['w1', 1, 3], ['w1', 1, 4]))).toEqual({
    ok: false,
    what: 'w1 goes from term 4 back to term 3',
  });
});

it('compares epochs first: a recovered cluster begins its terms anew', () => {
  expect(judgeFences(seen(['w1', 1, 9], ['w1', 2, 1])).ok).toBe(true);
  expect(judgeFences(seen(['w1', 2, 1], ['w1', 1, 9])).what).toBe('w1 goes from term 2/1 back to term 9');
});

it('shows nothing when nobody acted', () => {
  expect(judgeFences(seen()).ok).toBe(false);
});
