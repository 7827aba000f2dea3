/** What people are told about a scale. */
import { describe, expect, test } from 'vitest';
import { Scaled } from './fixtures.ts';

/** The load from one second to another, decided every second. */
function over(scaled: Scaled, from: number, to: number, load: number): void {
  scaled.load(from, load);
  for (let second = from; second < to; second++) scaled.at(second);
}

describe('the reason of a scale says', () => {
  test('that nothing runs', () => {
    const scaled = new Scaled();
    scaled.at(100);
    expect(scaled.reason).toBe('idle');
  });

  test('the load, the window and the target', () => {
    const scaled = new Scaled({ target: 100, targetUtilizationPct: 70 });
    over(scaled, 0, 120, 141.5);
    expect(scaled.reason).toBe('141.5 at once over 60 s needs 3 sandboxes for 70 each');
  });

  test('that it panics, and for how long it will not scale down', () => {
    const scaled = new Scaled();
    scaled.load(100, 50);
    scaled.at(100);
    scaled.load(112, 1);
    scaled.at(119.5);
    expect(scaled.reason).toBe(
      'panic: 30.4 at once needs 31 sandboxes for 1 each; no scale-down for another 41 s',
    );
  });

  test('which rate limits it', () => {
    const up = new Scaled({ maxScaleUpRate: 2 });
    up.load(100, 5);
    up.at(100);
    expect(up.reason).toMatch(/needs 5 sandboxes .*; maxScaleUpRate allows 2 for now$/);
    const down = new Scaled({ maxScaleDownRate: 1.1 });
    down.ready = 100;
    down.at(61);
    expect(down.reason).toBe('idle; maxScaleDownRate allows 90 for now');
  });

  test('that the activation scale is the smallest', () => {
    const scaled = new Scaled({ activation: 3 });
    over(scaled, 0, 120, 1);
    expect(scaled.reason).toBe('1 at once over 60 s needs 1 sandbox for 1 each; activation scale 3');
  });

  test('what a delay keeps, and for how long', () => {
    const scaled = new Scaled({ scaleDownDelayMs: 300_000, stableWindowMs: 10_000 });
    over(scaled, 0, 100, 4);
    over(scaled, 100, 150, 2);
    expect(scaled.reason).toBe(
      '2 at once over 10 s needs 2 sandboxes for 1 each; scaleDownDelayMs keeps 4 for another 257 s',
    );
  });

  test('that it has not watched for long enough', () => {
    const scaled = new Scaled({}, 100);
    scaled.ready = 7;
    scaled.at(112);
    expect(scaled.reason).toBe('idle; not watched for a whole stable window yet: 7 for another 48 s');
  });

  test('how long the last sandbox stays', () => {
    const scaled = new Scaled();
    over(scaled, 0, 120, 1);
    over(scaled, 120, 209, 0);
    scaled.at(209.4);
    expect(scaled.reason).toBe('idle; scaleToZeroGraceMs keeps 1 for another 600 ms');
  });

  test('which bound holds it', () => {
    const scaled = new Scaled({ min: 2, max: 5 });
    scaled.at(100);
    expect(scaled.reason).toBe('idle; min 2');
    over(scaled, 101, 300, 7);
    expect(scaled.reason).toBe('7 at once over 60 s needs 7 sandboxes for 1 each; max 5');
  });
});
