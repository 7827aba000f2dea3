/** Percentiles in bounded memory, compared with sorting. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Latencies } from '../../../chaos/histories/latencies.ts';

it('are those of the sorted values, to a hundredth', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.02, max: 60_000, noNaN: true }), { minLength: 1, maxLength: 300 }),
      (values) => {
        const latencies = new Latencies();
        for (const value of values) latencies.add(value);
        const sorted = values.toSorted((a, b) => a - b);
        const { n, p50, p99, max } = latencies.distribution();
        const near = (share: number): number => sorted[Math.floor(share * sorted.length)] ?? 0;
        expect(n).toBe(values.length);
        expect(Math.abs(max - (sorted.at(-1) ?? 0))).toBeLessThanOrEqual(0.006);
        for (const [got, expected] of [
          [p50, near(0.5)],
          [p99, near(0.99)],
        ] as const)
          expect(Math.abs(got - expected)).toBeLessThanOrEqual(expected * 0.0101 + 0.006);
      },
    ),
    { seed: 7, numRuns: 300 },
  );
});

it('are zeros of nothing', () => {
  expect(new Latencies().distribution()).toEqual({ n: 0, p50: 0, p99: 0, max: 0 });
});
