/** Histories that broke a promise once, as they were shrunk. */
import { expect, test } from 'vitest';
import { Cluster, type ClusterSize } from './cluster.ts';
import { whatIsWrong } from './rest.ts';
import { take, type Step } from './steps.ts';

interface History {
  readonly title: string;
  readonly seed: number;
  readonly of: ClusterSize;
  readonly steps: readonly Step[];
}

const ant = (more: Partial<Extract<Step, { do: 'register' }>> = {}): Step => ({
  do: 'register',
  fn: 0,
  min: 0,
  hardLimit: 0,
  trial: false,
  ...more,
});
const wait = (ms: number): Step => ({ do: 'wait', ms });
const failOver = (leaderlessMs: number): Step => ({ do: 'fail over', old: 'dead', leaderlessMs });
const cut = (who: number): Step => ({ do: 'cut', who, directions: ['in', 'out'] });
const call = (times: number, through = 0): Step => ({ do: 'call', fn: 0, through, times });
const of = (workers: number, dataPlanes = 1): ClusterSize => ({ workers, dataPlanes, servers: 1 });

const HISTORIES: readonly History[] = [
  {
    title: 'a sandbox of which every report was lost is not counted as starting for ever',
    seed: 0,
    of: of(2),
    steps: [
      cut(0),
      wait(1),
      { do: 'cut', who: 1, directions: ['out'] },
      wait(1),
      ant({ trial: true }),
      { do: 'the leader loses its bus', ms: 10 },
      { do: 'heal', who: 0 },
      wait(2_040),
    ],
  },
  {
    title: 'a report that is overtaken by its own refutation brings no sandbox back',
    seed: 0,
    of: of(1),
    steps: [
      { do: 'starts fail', who: 0, times: 1 },
      wait(2),
      { do: 'kill data plane', who: 0 },
      ant({ trial: true }),
      { do: 'weather', who: 0, weather: 'unordered' },
      wait(1),
    ],
  },
  {
    title: 'a data plane that missed a withdrawal does not acknowledge it by a partial snapshot',
    seed: 0,
    of: of(1),
    steps: [
      ant({ min: 1 }),
      wait(3_200),
      failOver(1),
      wait(99),
      { do: 'unregister', fn: 0 },
      { do: 'kill data plane', who: 0 },
      { do: 'start data plane', who: 0 },
    ],
  },
  {
    title: 'a worker that comes back after the sweep is rid of sandboxes of deleted functions',
    seed: 0,
    of: of(1),
    steps: [ant({ min: 1 }), wait(1), cut(0), wait(3_059), { do: 'unregister', fn: 0 }],
  },
  {
    title:
      'redeploys in quick succession do not multiply the fleet, nor hold it at a scale that it cannot reach',
    seed: 0,
    of: of(1),
    steps: [
      ant({ min: 3 }),
      wait(3_500),
      // Nothing of an older generation goes before every data plane has heard of the new one.
      cut(1),
      ...Array.from({ length: 4 }, (): Step[] => [ant({ min: 3 }), wait(200)]).flat(),
      ant({ min: 0 }),
    ],
  },
  {
    title: 'what a data plane held on a worker that was restarted since can be withdrawn',
    seed: 0,
    of: of(1),
    steps: [
      ant({ min: 1 }),
      wait(3_200),
      failOver(1),
      { do: 'kill worker', who: 0 },
      wait(20),
      { do: 'unregister', fn: 0 },
    ],
  },
  {
    title: 'half a fleet that falls silent together under a new leader keeps its endpoints',
    seed: 0,
    of: of(4),
    steps: [ant({ min: 3 }), ant({ fn: 1, min: 3 }), wait(4_500), cut(0), cut(1), failOver(100), wait(8_000)],
  },
  {
    title:
      'a function with a hard limit is not given to another data plane with sandboxes that its owner still uses',
    seed: 0,
    of: of(1, 3),
    steps: [
      ant({ min: 1, hardLimit: 2 }),
      wait(3_500),
      cut(3),
      failOver(1),
      wait(3_102),
      failOver(1),
      call(3),
      wait(2_900),
      ...Array.from({ length: 20 }, (): Step[] => [call(4, 2), wait(20)]).flat(),
    ],
  },
  {
    title:
      'a function with a hard limit whose owner was restarted before a new leader came gets another owner',
    seed: 0,
    of: of(1),
    steps: [ant({ min: 1, hardLimit: 2 }), wait(3_000), { do: 'kill data plane', who: 0 }, failOver(1)],
  },
];

test.each(HISTORIES)('$title', ({ seed, of: size, steps }) => {
  const cluster = new Cluster(seed, size);
  for (const step of steps) take(cluster, step);
  expect(whatIsWrong(cluster)).toBeUndefined();
  expect(cluster.promises.started.size).toBeGreaterThan(0);
});
