/** One history, from its first step to its rest; and a counterexample as people read it. */
import fc from 'fast-check';
import { Cluster, type ClusterSize } from './cluster.ts';
import type { History } from './histories.ts';
import { whatIsWrong } from './rest.ts';
import { shorten } from './shorten.ts';
import { take, tell } from './steps.ts';

/** @throws Error with the promise that is broken */
export function run({ random, of, steps }: History): Cluster {
  const cluster = new Cluster(random, of);
  for (const step of steps) take(cluster, step);
  return cluster;
}

/** The same, and afterwards. @throws Error with the promise that is broken */
export function runToRest(history: History): Cluster {
  const cluster = run(history);
  const wrong = whatIsWrong(cluster);
  if (wrong !== undefined) throw new Error(wrong);
  return cluster;
}

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
const tellSize = ({ workers, dataPlanes, servers }: ClusterSize): string =>
  `3 replicas, ${count(workers, 'worker')}, ${count(dataPlanes, 'data plane')}, ${count(servers, 'server')}`;

export function script({ random, of, steps }: History): string {
  const cluster = new Cluster(random, of);
  return [
    `a cluster of ${tellSize(of)} (random ${random}):`,
    ...steps.map((step, at) => `  ${String(at + 1).padStart(2)}. ${tell(step, cluster)}`),
    '  then all faults end',
  ].join('\n');
}

export interface Counterexample {
  /** What is broken, and the script. */
  readonly text: string;
  /** Undefined: fast-check itself failed. */
  readonly history: History | undefined;
}

/** @throws Error with the promise that the shrunk counterexample breaks, and its script */
export function assertHistories(
  histories: fc.Arbitrary<History>,
  check: (history: History) => void,
  options: { readonly seed: number; readonly runs: number },
): void {
  const details = fc.check(fc.property(histories, check), { seed: options.seed, numRuns: options.runs });
  if (details.failed) throw new Error(counterexampleOf(details, check).text);
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** @param check throws for a history that breaks a promise */
export function counterexampleOf(
  { counterexample, errorInstance, seed }: fc.RunDetails<[History]>,
  check: (history: History) => void,
): Counterexample {
  let why = messageOf(errorInstance);
  if (counterexample === null) return { text: `seed ${seed}: ${why}`, history: undefined };
  const history = shorten(counterexample[0], (candidate) => {
    try {
      check(candidate);
      return false;
    } catch (error) {
      why = messageOf(error);
      return true;
    }
  });
  return { text: `${why}\nin ${script(history)}\n(seed ${seed})`, history };
}
