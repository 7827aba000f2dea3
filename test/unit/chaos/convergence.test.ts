/** CONV: desired = placed = every data plane's view = what workers have. */
import { expect, it } from 'vitest';
import { divergence, type Views } from '../../../chaos/verifiers/convergence.ts';

const good: Views = {
  leader: [
    { id: 'a', state: 'ready' },
    { id: 'b', state: 'ready' },
  ],
  workers: ['b', 'a'],
  dataPlanes: new Map([
    ['dp1', ['a', 'b']],
    ['dp2', ['b', 'a']],
  ]),
  scales: [{ function: 'f', desired: 2, ready: 2 }],
};

it('is one view, in whatever order', () => {
  expect(divergence(good)).toBeUndefined();
});

it.each<[string, Partial<Views>, string]>([
  [
    'a sandbox that nobody remembers',
    { workers: ['a', 'b', 'c'] },
    'workers and the leader differ: too many [c]',
  ],
  ['a sandbox that is gone', { workers: ['a'] }, 'workers and the leader differ: missing [b]'],
  [
    'an endpoint that one data plane lacks',
    { dataPlanes: new Map([['dp2', ['a']]]) },
    'dp2 and the leader differ: missing [b]',
  ],
  [
    'an endpoint that one data plane kept',
    { dataPlanes: new Map([['dp2', ['a', 'b', 'old']]]) },
    'dp2 and the leader differ: too many [old]',
  ],
  ['a sandbox on two workers', { workers: ['a', 'b', 'b'] }, 'workers and the leader differ: 1 twice'],
  [
    'a sandbox on its way',
    { leader: [...good.leader, { id: 'c', state: 'starting' }] },
    'not settled: c starting',
  ],
  [
    'a scale that was not reached',
    { scales: [{ function: 'f', desired: 3, ready: 2 }] },
    'f has 2 of 3 sandboxes',
  ],
])('%s is a difference', (_what, change, told) => {
  expect(divergence({ ...good, ...change })).toContain(told);
});
