/** What no healthy cluster can show, and what a leader change is. */
import { expect, it } from 'vitest';
import { Observer } from '../../../chaos/observer.ts';
import type { Stage } from '../../../chaos/stage.ts';

type Seen = Parameters<Observer['see']>[0];

/** It is shown what replicas said; it asks nobody. */
function observe(...words: Partial<Seen>[]): Observer {
  const observer = new Observer({} as Stage);
  for (const word of words)
    observer.see({ id: 'r1', role: 'follower', term: 1, appliedIndex: 5, stateHash: 'a', ...word });
  return observer;
}

it('counts a leader of a higher term as a change, also when it is the same replica', () => {
  const leads = (id: string, term: number): Partial<Seen> => ({ id, role: 'leader', term });
  const observer = observe(leads('r1', 1), leads('r1', 1), leads('r2', 2), leads('r1', 1), leads('r2', 4));
  expect(observer.leaderChanges).toBe(2);
  expect(observer.leader).toEqual({ id: 'r2', term: 4 });
  expect(observer.violations).toEqual([]);
});

it('sees two leaders of one term, also one after the other', () => {
  const observer = observe({ id: 'r1', role: 'leader', term: 3 }, { id: 'r2', role: 'leader', term: 3 });
  expect(observer.violations).toEqual(['O1: r1 and r2 both led in term 3']);
});

it('sees two states at one index, and none where indexes differ', () => {
  expect(observe({ id: 'r1' }, { id: 'r2', appliedIndex: 6, stateHash: 'b' }).violations).toEqual([]);
  expect(observe({ id: 'r1' }, { id: 'r2', stateHash: 'b' }).violations).toHaveLength(1);
});
