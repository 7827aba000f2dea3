/** What one function's scale does, knob by knob. Times are seconds; one request at once is one sandbox. */
import { describe, expect, test } from 'vitest';
import { FunctionScaler } from '../../../src/core/autoscaler/function-scaler.ts';
import { Scaled, specWith } from './fixtures.ts';

/** The load from one second to another, decided every second. */
function over(scaled: Scaled, from: number, to: number, load: number): number {
  scaled.load(from, load);
  let desired = 0;
  for (let second = from; second < to; second++) desired = scaled.at(second);
  return desired;
}

describe('a load', () => {
  test('of one request starts a sandbox in the same instant', () => {
    const scaled = new Scaled();
    expect(scaled.at(100)).toBe(0);
    scaled.load(100, 1);
    expect(scaled.at(100)).toBe(1);
    expect(scaled.panics).toBe(false);
  });

  test('that comes to nothing at all starts as many as there are requests, and panics', () => {
    const scaled = new Scaled();
    scaled.load(100, 50);
    expect(scaled.at(100)).toBe(50);
    expect(scaled.panics).toBe(true);
  });

  test('is weighted by time, not by how often it is reported', () => {
    const scaled = new Scaled({ burstCapacity: 0, panicWindowPct: 100 });
    over(scaled, 0, 120, 10);
    scaled.load(119.1, 0);
    for (let report = 0; report < 50; report++) scaled.load(119.1 + report / 1_000, 10);
    expect(scaled.at(120)).toBe(10);
  });

  test('that is steady keeps what it needs', () => {
    const scaled = new Scaled();
    expect(over(scaled, 0, 300, 7)).toBe(7);
  });
});

describe('target and targetUtilizationPct', () => {
  test('a sandbox is given its share of the target', () => {
    const scaled = new Scaled({ target: 100, targetUtilizationPct: 70 });
    expect(over(scaled, 0, 120, 141)).toBe(3);
  });

  test('a hard limit below the target is what a sandbox may have', () => {
    const scaled = new Scaled({ target: 100, targetUtilizationPct: 50, concurrency: 10 });
    expect(over(scaled, 0, 120, 20)).toBe(4);
  });

  test('a hard limit of one request is aimed at in full: no second sandbox for one request', () => {
    const scaled = new Scaled({ target: 100, targetUtilizationPct: 70, concurrency: 1 });
    expect(over(scaled, 0, 120, 3)).toBe(3);
  });
});

describe('panic (K1)', () => {
  test('begins at the threshold, and not below', () => {
    const scaled = new Scaled({ panicThresholdPct: 200 });
    over(scaled, 0, 120, 10);
    scaled.load(120, 19);
    scaled.at(120);
    expect(scaled.panics).toBe(false);
    scaled.ready = 10;
    scaled.load(121, 20);
    expect(scaled.at(121)).toBe(20);
    expect(scaled.panics).toBe(true);
  });

  test('never lowers the scale, and lasts a whole stable window from when the threshold was last met', () => {
    const scaled = new Scaled();
    over(scaled, 0, 120, 10);
    scaled.load(120, 40);
    expect(scaled.at(120)).toBe(40);
    scaled.load(121, 1);
    for (let second = 121; second <= 180; second++) expect(scaled.at(second)).toBe(40);
    expect(scaled.panics).toBe(true);
    expect(scaled.at(181)).toBeLessThan(40);
    expect(scaled.panics).toBe(false);
  });

  test('keeps what a new leader heard of only after it had begun, also when it has watched for long enough (K2)', () => {
    const scaled = new Scaled({}, 100);
    scaled.load(100.5, 6);
    scaled.ready = 2;
    expect(scaled.decide(100.5)).toBe(6);
    scaled.ready = 10;
    expect(scaled.decide(101)).toBe(10);
    expect(scaled.decide(160.25)).toBe(10);
    expect(scaled.panics).toBe(true);
    expect(scaled.decide(160.75)).toBe(6);
    expect(scaled.panics).toBe(false);
  });

  test('replaces what breaks meanwhile', () => {
    const scaled = new Scaled();
    scaled.load(100, 10);
    scaled.at(100);
    scaled.ready = 6;
    expect(scaled.at(110)).toBe(10);
  });

  test('does not end what is starting when it begins', () => {
    const scaled = new Scaled();
    scaled.ready = 1;
    scaled.starting = 9;
    scaled.load(100, 2);
    expect(scaled.decide(100)).toBe(10);
  });

  test('is left without undoing itself: a limit on growth takes back nothing that is on its way', () => {
    const scaled = new Scaled({ maxScaleUpRate: 1.1 }, -100);
    scaled.ready = 10;
    scaled.load(0, 20);
    expect([0, 2, 4].map((second) => scaled.at(second))).toEqual([11, 13, 15]);
    expect(over(scaled, 5, 20, 15)).toBe(18);
    // A worker is lost, and what was on it is on its way again: the rate alone would allow 14.
    scaled.ready = 12;
    scaled.starting = 6;
    for (let second = 20; second <= 60; second++) expect(scaled.decide(second)).toBe(18);
    expect(scaled.panics).toBe(true);
    expect(scaled.decide(61)).toBe(16);
    expect(scaled.panics).toBe(false);
  });
});

describe('a scaler that has just begun to watch (K2)', () => {
  test('keeps what there is for a whole stable window', () => {
    const scaled = new Scaled({}, 100);
    scaled.ready = 7;
    for (let second = 100; second <= 160; second++) expect(scaled.at(second)).toBe(7);
    expect(scaled.at(161)).toBeLessThan(7);
  });

  test('scales up as ever', () => {
    const scaled = new Scaled({}, 100);
    scaled.ready = 7;
    scaled.load(101, 30);
    expect(scaled.at(101)).toBe(30);
  });

  test('does not hold what is above a new maximum', () => {
    const scaled = new Scaled({ max: 5 }, 100);
    scaled.ready = 7;
    expect(scaled.at(101)).toBe(5);
  });

  test('of a longer window since its last generation holds for that one', () => {
    const scaled = new Scaled({}, 0);
    scaled.ready = 7;
    scaled.scaler.update(specWith({ stableWindowMs: 600_000 }));
    expect(scaled.at(600)).toBe(7);
    expect(scaled.at(601)).toBeLessThan(7);
  });
});

describe('zero (K3)', () => {
  test('comes after an idle stable window and the grace', () => {
    const scaled = new Scaled({ scaleToZeroGraceMs: 30_000 });
    over(scaled, 0, 120, 1);
    scaled.load(120, 0);
    for (let second = 120; second < 210; second++) expect(scaled.at(second)).toBe(1);
    expect(scaled.at(210)).toBe(0);
  });

  test('is not reached while anything runs, however little', () => {
    const scaled = new Scaled({ target: 1_000 });
    over(scaled, 0, 120, 1);
    expect(over(scaled, 120, 1_000, 1)).toBe(1);
  });

  test('is left at once', () => {
    const scaled = new Scaled();
    over(scaled, 0, 120, 1);
    scaled.load(120, 0);
    for (let second = 120; second < 300; second++) scaled.at(second);
    expect(scaled.settled).toBe(true);
    scaled.load(10_000, 1);
    expect(scaled.at(10_000)).toBe(1);
  });

  test('waits at the activation scale, not below it', () => {
    const scaled = new Scaled({ activation: 3 });
    scaled.load(100, 1);
    expect(scaled.at(100)).toBe(3);
    scaled.load(101, 0);
    for (let second = 101; second < 191; second++) expect(scaled.at(second)).toBe(3);
    expect(scaled.at(191)).toBe(0);
  });
});

describe('rates', () => {
  test('growth is bounded by what was ready when the cycle began', () => {
    const scaled = new Scaled({ maxScaleUpRate: 2 });
    scaled.ready = 3;
    scaled.load(100, 100);
    expect(scaled.at(100)).toBe(6);
    expect(scaled.at(101)).toBe(6);
    expect(scaled.at(102)).toBe(12);
  });

  test('a rate that is hardly one still lets it grow by one', () => {
    const scaled = new Scaled({ maxScaleUpRate: 1.1 });
    scaled.ready = 2;
    scaled.load(100, 100);
    expect(scaled.at(100)).toBe(3);
  });

  test('shrinking is halved once in a cycle, however often is decided', () => {
    const scaled = new Scaled({ maxScaleDownRate: 2 });
    scaled.load(100, 40);
    scaled.at(100);
    over(scaled, 101, 161, 0);
    const scales = Array.from({ length: 24 }, (_, quarter) => scaled.at(162 + quarter / 4));
    expect(scales).toEqual([20, 10, 5].flatMap((scale) => Array.from({ length: 8 }, () => scale)));
  });
});

describe('scaleDownDelayMs', () => {
  test('a lower scale must have been wanted for as long', () => {
    const scaled = new Scaled({ scaleDownDelayMs: 300_000, stableWindowMs: 10_000, maxScaleDownRate: 100 });
    over(scaled, 0, 100, 4);
    expect(over(scaled, 100, 130, 3)).toBe(4);
    expect(over(scaled, 130, 408, 1)).toBe(4);
    expect(over(scaled, 408, 420, 1)).toBe(3);
    expect(over(scaled, 420, 445, 1)).toBe(1);
  });

  test('a higher one begins it anew', () => {
    const scaled = new Scaled({ scaleDownDelayMs: 60_000, stableWindowMs: 10_000 });
    over(scaled, 0, 100, 4);
    over(scaled, 100, 150, 1);
    over(scaled, 150, 170, 4);
    expect(over(scaled, 170, 225, 1)).toBe(4);
  });

  test('zero is delayed too', () => {
    const scaled = new Scaled({ scaleDownDelayMs: 300_000, stableWindowMs: 10_000, scaleToZeroGraceMs: 0 });
    over(scaled, 0, 100, 1);
    expect(over(scaled, 100, 400, 0)).toBe(1);
    expect(over(scaled, 400, 420, 0)).toBe(0);
  });
});

describe('min, max and activation', () => {
  test('bound what the load asks for', () => {
    const scaled = new Scaled({ min: 2, max: 5 });
    expect(scaled.at(100)).toBe(2);
    scaled.load(101, 30);
    expect(scaled.at(101)).toBe(5);
  });

  test('the smallest scale that is not zero is the activation scale, for as long as there is load', () => {
    const scaled = new Scaled({ activation: 4 });
    expect(over(scaled, 0, 300, 1)).toBe(4);
    expect(over(scaled, 300, 400, 6)).toBe(6);
  });
});

describe('burstCapacity', () => {
  /** Ten sandboxes of ten requests each, half used, and then ninety more requests. */
  function burst(burstCapacity: number): number {
    const scaled = new Scaled({ burstCapacity, target: 10, panicThresholdPct: 110 });
    over(scaled, 0, 120, 50);
    scaled.ready = 10;
    scaled.load(120, 140);
    return scaled.at(120);
  }

  test('while there is room for it, the burst is averaged over the panic window', () => {
    expect(burst(0)).toBeLessThan(14);
    expect(burst(30)).toBeLessThan(14);
  });

  test('where there is room for less, what is there now counts at once', () => {
    expect(burst(60)).toBe(14);
    expect(burst(-1)).toBe(14);
  });

  test('at zero what is there now always counts at once', () => {
    const scaled = new Scaled({ burstCapacity: 0 });
    scaled.load(0, 0);
    scaled.load(30, 50);
    expect(scaled.at(30)).toBe(50);
  });
});

describe('a new generation', () => {
  test('keeps what was observed where the windows stay', () => {
    const scaled = new Scaled();
    over(scaled, 0, 120, 8);
    scaled.scaler.update(specWith({ max: 100, target: 2 }));
    expect(scaled.at(120)).toBe(4);
  });

  test('with other windows keeps what they reach', () => {
    const scaled = new Scaled();
    over(scaled, 0, 120, 8);
    scaled.load(120, 2);
    scaled.scaler.update(specWith({ stableWindowMs: 120_000 }));
    expect(over(scaled, 120, 180, 2)).toBe(5);
    scaled.scaler.update(specWith({ stableWindowMs: 10_000 }));
    expect(over(scaled, 180, 186, 2)).toBe(2);
  });
});

describe('with nothing to wait for (K4)', () => {
  test('it says that it is settled, and not before', () => {
    const scaled = new Scaled();
    scaled.load(100, 1);
    scaled.at(100);
    scaled.load(101, 0);
    for (let second = 101; second < 191; second++) {
      scaled.at(second);
      expect(scaled.settled).toBe(false);
    }
    scaled.at(191);
    scaled.at(192);
    expect(scaled.settled).toBe(true);
  });

  test('at its minimum too', () => {
    const scaled = new Scaled({ min: 2 });
    scaled.at(0);
    scaled.at(61);
    expect(scaled.settled).toBe(true);
  });

  test('not while sandboxes are missing', () => {
    const scaled = new Scaled({ min: 2 });
    scaled.decide(61);
    expect(scaled.settled).toBe(false);
  });
});

test('the same history gives the same decisions', () => {
  const run = (): unknown[] => {
    const scaler = new FunctionScaler(specWith({ scaleDownDelayMs: 5_000 }), 0);
    return [3, 9, 0, 40, 1, 0, 0].map((load, n) => {
      scaler.observe(n * 7_000, load);
      return scaler.decide(n * 7_000 + 300, { ready: n, starting: 1 });
    });
  };
  expect(run()).toEqual(run());
});
