/** Distributions and medians: how rounds of one measurement become one figure. Latencies are milliseconds. */
import { distribution, round, type Distribution } from '../../cluster/demo/load.ts';

export { distribution, round, type Distribution };

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const low = sorted[Math.ceil(middle) - 1] ?? 0;
  const high = sorted[Math.floor(middle)] ?? 0;
  return round((low + high) / 2);
}

/** Medians of the percentiles, all samples counted, and the worst of all rounds. */
export function overRounds(rounds: readonly Distribution[]): Distribution {
  return {
    n: rounds.reduce((sum, { n }) => sum + n, 0),
    p50: median(rounds.map(({ p50 }) => p50)),
    p99: median(rounds.map(({ p99 }) => p99)),
    max: Math.max(...rounds.map(({ max }) => max)),
  };
}
