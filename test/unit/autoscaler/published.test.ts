/**
 * Situations of Knative's own tests and documentation, with numbers of our own that were worked out by hand: the program that
 * computes the table must get them right, and so must ours.
 */
import { describe, expect, test } from 'vitest';
import { Kpa } from '../../../src/core/autoscaler/kpa.ts';
import { ScaleDownDelay } from '../../../src/core/autoscaler/scale-down-delay.ts';
import { ConcurrencyWindow } from '../../../src/core/autoscaler/window.ts';
import { specWith } from './fixtures.ts';
import { ReferenceScaler, ReferenceWindow, type ReferenceKnobs } from './reference.ts';

/** What was measured, and what was ready, in seconds. */
interface Measured {
  readonly at: number;
  readonly stable: number;
  readonly panic: number;
  readonly ready: number;
}

interface Situation {
  readonly title: string;
  readonly knobs?: Partial<ReferenceKnobs>;
  readonly steps: readonly (Measured & { readonly desired: number; readonly panics?: boolean })[];
}

/** Ten requests for each, as many as ten times more or a tenth less at once; a panic at twice what is ready. */
const KNOBS: ReferenceKnobs = {
  target: 10,
  targetUtilizationPct: 100,
  concurrency: 0,
  min: 0,
  max: 0,
  activation: 1,
  stableWindow: 60,
  panicWindowPct: 10,
  panicThresholdPct: 200,
  maxScaleUpRate: 10,
  maxScaleDownRate: 10,
  scaleDownDelay: 0,
  scaleToZeroGrace: 30,
  burstCapacity: 0,
};

const SITUATIONS: readonly Situation[] = [
  {
    title: 'the average over the target, rounded up',
    steps: [
      { at: 0, stable: 40, panic: 40, ready: 4, desired: 4 },
      { at: 2, stable: 40.1, panic: 40.1, ready: 4, desired: 5 },
      { at: 4, stable: 31, panic: 31, ready: 5, desired: 4 },
    ],
  },
  {
    title: 'nothing measured is nothing wanted, at one replica',
    steps: [{ at: 0, stable: 0, panic: 0, ready: 1, desired: 0 }],
  },
  {
    title: 'the least that is measured is one replica',
    steps: [{ at: 0, stable: 0.01, panic: 0, ready: 1, desired: 1 }],
  },
  {
    title: 'growth is limited to the rate times what is ready, of nothing to the rate',
    steps: [
      { at: 0, stable: 5_000, panic: 5_000, ready: 0, desired: 10, panics: true },
      { at: 2, stable: 5_000, panic: 5_000, ready: 10, desired: 100, panics: true },
      { at: 4, stable: 5_000, panic: 5_000, ready: 100, desired: 500, panics: true },
    ],
  },
  {
    title: 'a rate of 1.1 lets three become four, since its product is rounded up',
    knobs: { maxScaleUpRate: 1.1 },
    steps: [{ at: 0, stable: 50, panic: 50, ready: 3, desired: 4 }],
  },
  {
    title: 'decline is limited to what is ready divided by the rate, rounded down',
    steps: [
      { at: 0, stable: 5, panic: 5, ready: 250, desired: 25 },
      { at: 2, stable: 5, panic: 5, ready: 25, desired: 2 },
      { at: 4, stable: 5, panic: 5, ready: 2, desired: 1 },
    ],
  },
  {
    title: 'a decline by a factor of 1.1 takes 50 to 45',
    knobs: { maxScaleDownRate: 1.1 },
    steps: [{ at: 0, stable: 5, panic: 5, ready: 50, desired: 45 }],
  },
  {
    title: 'panic begins at the threshold itself: 40 wanted, 20 ready',
    steps: [
      { at: 0, stable: 200, panic: 390, ready: 20, desired: 20, panics: false },
      { at: 2, stable: 205, panic: 400, ready: 20, desired: 40, panics: true },
    ],
  },
  {
    title:
      'panic does not fall, and ends when more than a stable window has passed since the threshold was met',
    steps: [
      { at: 0, stable: 60, panic: 600, ready: 6, desired: 60, panics: true },
      { at: 30, stable: 20, panic: 10, ready: 60, desired: 60, panics: true },
      { at: 60, stable: 70, panic: 70, ready: 60, desired: 60, panics: true },
      { at: 62, stable: 70, panic: 70, ready: 60, desired: 7, panics: false },
    ],
  },
  {
    title: 'growth within panic does not prolong it, meeting the threshold again does',
    steps: [
      { at: 0, stable: 130, panic: 300, ready: 12, desired: 30, panics: true },
      { at: 40, stable: 400, panic: 550, ready: 45, desired: 55, panics: true },
      { at: 62, stable: 500, panic: 560, ready: 55, desired: 50, panics: false },
      { at: 64, stable: 500, panic: 1_200, ready: 55, desired: 120, panics: true },
      { at: 124, stable: 900, panic: 1_200, ready: 60, desired: 120, panics: true },
      { at: 184, stable: 900, panic: 900, ready: 120, desired: 120, panics: true },
      { at: 186, stable: 900, panic: 900, ready: 120, desired: 90, panics: false },
    ],
  },
  {
    title: 'in panic the larger of both averages counts',
    steps: [
      { at: 0, stable: 30, panic: 80, ready: 3, desired: 8, panics: true },
      { at: 2, stable: 250, panic: 100, ready: 8, desired: 25, panics: true },
    ],
  },
  {
    title: 'the activation scale is the smallest that is wanted at all',
    knobs: { activation: 3 },
    steps: [
      { at: 0, stable: 0, panic: 0, ready: 0, desired: 0 },
      { at: 2, stable: 1, panic: 1, ready: 0, desired: 3 },
      { at: 4, stable: 35, panic: 35, ready: 3, desired: 4 },
    ],
  },
  {
    title: 'a delay of four minutes keeps the highest of its time, and lets go of each in its turn',
    knobs: { scaleDownDelay: 240, panicThresholdPct: 1_000 },
    steps: [
      { at: 10, stable: 50, panic: 50, ready: 5, desired: 5 },
      { at: 70, stable: 30, panic: 30, ready: 5, desired: 5 },
      { at: 130, stable: 5, panic: 5, ready: 5, desired: 5 },
      { at: 248, stable: 5, panic: 5, ready: 5, desired: 5 },
      { at: 250, stable: 5, panic: 5, ready: 5, desired: 3 },
      { at: 310, stable: 5, panic: 5, ready: 3, desired: 1 },
      { at: 312, stable: 65, panic: 65, ready: 1, desired: 7 },
    ],
  },
];

describe('from averages to a scale', () => {
  test.each(SITUATIONS)('$title', ({ knobs: some, steps }) => {
    const knobs = { ...KNOBS, ...some };
    const reference = new ReferenceScaler(knobs, 0, 0);
    const kpa = new Kpa();
    const delay = new ScaleDownDelay();
    const spec = specWith(knobs);
    for (const { at, stable, panic, ready, desired, panics } of steps) {
      const theirs = reference.scale(at, stable, panic, ready);
      const ours = kpa.decide(at * 1_000, spec, { stable, panic, present: 0 }, { ready, starting: 0 });
      const kept = delay.apply(at * 1_000, ours.desired, knobs.scaleDownDelay * 1_000);
      expect({ at, desired: theirs.desired, panics: theirs.panics }).toEqual({
        at,
        desired,
        panics: panics ?? theirs.panics,
      });
      expect({ at, desired: kept, panics: kpa.panics }).toEqual({ at, desired, panics: theirs.panics });
    }
  });
});

describe('the excess burst capacity', () => {
  test.each([
    {
      title: 'is the capacity without the burst and the load',
      burst: 50,
      target: 10,
      ready: 20,
      load: 30,
      excess: 120,
    },
    { title: 'is rounded down', burst: 50, target: 10, ready: 9, load: 30.2, excess: 9 },
    {
      title: 'is below zero where there is no room',
      burst: 50,
      target: 10,
      ready: 5,
      load: 12.5,
      excess: -13,
    },
    { title: 'of nothing is what is missing', burst: 10, target: 10, ready: 0, load: 21, excess: -31 },
    { title: 'counts the whole of a replica, not what is aimed at', burst: 20, target: 10, pct: 50, ready: 4, load: 5, excess: 15 }, // prettier-ignore
    { title: 'is of no interest at 0', burst: 0, target: 10, ready: 1, load: 99, excess: 0 },
    { title: 'is always missing at -1', burst: -1, target: 10, ready: 99, load: 1, excess: -1 },
  ])('$title', ({ burst, target, pct, ready, load, excess }) => {
    const knobs = { ...KNOBS, target, targetUtilizationPct: pct ?? 100, burstCapacity: burst };
    const theirs = new ReferenceScaler(knobs, 0, 0).scale(0, load, load, ready);
    const averages = { stable: load, panic: load, present: 0 };
    const ours = new Kpa().decide(0, specWith(knobs), averages, { ready, starting: 0 });
    expect(theirs.excessBurst).toBe(excess);
    expect(ours.excessBurst).toBe(excess);
  });
});

describe('a window of 60 s averages', () => {
  /** A load a second, and the average at the end. */
  function average(loads: readonly number[]): { theirs: number; ours: number } {
    const reference = new ReferenceWindow(60);
    const window = new ConcurrencyWindow({ stableMs: 60_000, panicMs: 6_000 });
    loads.forEach((load, second) => {
      reference.record(second, load);
      window.observe(second * 1_000, load);
    });
    return { theirs: reference.average(loads.length - 1), ours: window.stableAverage };
  }

  const seconds = (count: number, load: number): number[] => Array.from({ length: count }, () => load);

  test.each([
    { title: 'over what there is of it', loads: [...seconds(5, 10), 40], mean: 15 },
    {
      title: 'over all of it, and over nothing before',
      loads: [...seconds(100, 500), ...seconds(60, 7)],
      mean: 7,
    },
    { title: 'what is leaving with what has come', loads: [...seconds(60, 12), ...seconds(20, 3)], mean: 9 },
    { title: 'silence as nothing', loads: [...seconds(30, 8), ...seconds(30, 0)], mean: 4 },
    { title: 'to six digits, cut off', loads: [...seconds(2, 0), 2], mean: 0.666666 },
  ])('$title', ({ loads, mean }) => expect(average(loads)).toEqual({ theirs: mean, ours: mean }));

  test('longer than the panic window, which can be the smaller for it', () => {
    const [stable, panic] = [new ReferenceWindow(6), new ReferenceWindow(5)];
    const window = new ConcurrencyWindow({ stableMs: 360_000, panicMs: 300_000 });
    [600, 0, 0, 0, 0, 600].forEach((load, n) => {
      stable.record(n, load);
      panic.record(n, load);
      for (let second = 0; second < 60; second++) window.observe((n * 60 + second) * 1_000, load);
    });
    expect([stable.average(5), panic.average(5)]).toEqual([200, 120]);
    expect([window.stableAverage, window.panicAverage]).toEqual([200, 120]);
  });
});
