/** Histories that broke a promise once, as they were shrunk. */
import { expect, test } from 'vitest';
import type { History } from './histories.ts';
import { runToRest } from './run.ts';
import type { Direction } from './network.ts';
import type { ClusterSize } from './stage.ts';
import type { Step } from './steps.ts';

interface Regression extends History {
  readonly title: string;
  /** Sandboxes in all, where it matters. */
  readonly started?: number;
}

const ant = (more: Partial<Extract<Step, { do: 'register' }>> = {}): Step => ({
  do: 'register',
  fn: 0,
  min: 0,
  hardLimit: 0,
  trial: false,
  insists: true,
  ...more,
});
const wait = (ms: number): Step => ({ do: 'wait', ms });
const failOver = (leaderlessMs: number): Step => ({ do: 'fail over', old: 'dead', leaderlessMs });
const cut = (who: number, ...directions: Direction[]): Step => ({
  do: 'cut',
  who,
  directions: directions.length > 0 ? directions : ['in', 'out'],
});
const unregister: Step = { do: 'unregister', fn: 0, insists: true };
const call = (times: number, through = 0, fn = 0): Step => ({ do: 'call', fn, through, times });
const of = (workers: number, dataPlanes = 1): ClusterSize => ({ workers, dataPlanes, servers: 1 });

const HISTORIES: readonly Regression[] = [
  {
    title: 'a data plane that was away, and is heard first, uses no sandbox that another one counts',
    random: 0,
    of: of(1, 2),
    steps: [
      ant({ fn: 1, min: 1, hardLimit: 2 }),
      wait(3_500),
      cut(2),
      wait(4_025),
      call(3, 1, 1),
      failOver(0),
    ],
  },
  {
    title:
      'a sandbox with a hard limit of which a slot is lost is replaced: its owner would never use it again',
    random: 0,
    of: of(1),
    steps: [
      ant({ min: 1, hardLimit: 2 }),
      wait(3_500),
      call(1),
      wait(5),
      { do: 'part', from: 0, to: 1, bothWays: true },
      wait(2_500),
    ],
    started: 2,
  },
  {
    title: 'what was to start on a worker that is taken for dead does not start there when it comes back',
    random: 0,
    of: of(1),
    steps: [ant({ min: 1 }), wait(3), cut(0), wait(3_059), unregister, wait(500)],
    started: 0,
  },
  {
    title:
      'a request that waits for a function that was deleted meanwhile goes to whichever has its name now',
    random: 0,
    of: of(1),
    steps: [ant(), wait(250), unregister, failOver(0), cut(1), wait(4_000), ant(), wait(500), call(1)],
  },
  {
    title:
      'an older generation that comes back late goes, though nothing else is to be done for its function',
    random: 0,
    of: of(6),
    steps: [
      ant({ min: 1 }),
      wait(3_008),
      cut(6),
      failOver(0),
      cut(0),
      wait(9),
      ant({ min: 1 }),
      wait(631),
      call(1),
      wait(2_669),
    ],
  },
  {
    title: 'a sandbox of which every report was lost is not counted as starting for ever',
    random: 0,
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
    random: 0,
    of: of(1),
    steps: [
      { do: 'starts fail', who: 0, times: 1 },
      wait(2),
      { do: 'kill data plane', who: 0 },
      ant({ trial: true }),
      { do: 'weather', who: 0, weather: 'unordered', concern: 'messages' },
      wait(1),
    ],
  },
  {
    title: 'a data plane that missed a withdrawal does not acknowledge it by a partial snapshot',
    random: 0,
    of: of(1),
    steps: [
      ant({ min: 1 }),
      wait(3_200),
      failOver(1),
      wait(99),
      unregister,
      { do: 'kill data plane', who: 0 },
      { do: 'start data plane', who: 0 },
    ],
  },
  {
    title: 'a worker that comes back after the sweep is rid of sandboxes of deleted functions',
    random: 0,
    of: of(1),
    steps: [ant({ min: 1 }), wait(3), cut(0, 'out'), wait(3_059), unregister],
  },
  {
    title:
      'redeploys in quick succession do not multiply the fleet, nor hold it at a scale that it cannot reach',
    random: 0,
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
    random: 0,
    of: of(1),
    steps: [ant({ min: 1 }), wait(3_200), failOver(1), { do: 'kill worker', who: 0 }, wait(20), unregister],
  },
  {
    title: 'a snapshot of before a silent worker was heard comes late, and what it lacks comes back',
    random: 0,
    of: of(1),
    steps: [
      failOver(0),
      ant({ min: 1 }),
      failOver(0),
      { do: 'part', from: 8, to: 0, bothWays: false },
      wait(100),
      call(1),
      failOver(0),
      wait(287),
      { do: 'kill data plane', who: 0 },
      failOver(0),
      { do: 'weather', who: 6, weather: 'slow', concern: 'messages' },
      wait(3_441),
    ],
  },
  {
    title: 'half a fleet that falls silent together under a new leader keeps its endpoints',
    random: 0,
    of: of(4),
    steps: [ant({ min: 3 }), ant({ fn: 1, min: 3 }), wait(4_500), cut(0), cut(1), failOver(100), wait(8_000)],
  },
  {
    title:
      'a function with a hard limit is not given to another data plane with sandboxes that its owner still uses',
    random: 0,
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
    random: 0,
    of: of(1),
    steps: [ant({ min: 1, hardLimit: 2 }), wait(3_000), { do: 'kill data plane', who: 0 }, failOver(1)],
  },
];

test.each(HISTORIES)('$title', ({ started, ...history }) => {
  const { size } = runToRest(history).promises.started;
  expect(size).toBe(started ?? Math.max(1, size));
});
