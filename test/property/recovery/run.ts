/** One history, from its first step to its rest; and a counterexample as people read it. */
import fc from 'fast-check';
import { Cluster } from './cluster.ts';
import type { History } from './histories.ts';
import { whatIsWrong } from './rest.ts';
import { shorten } from './shorten.ts';
import { finish, membersOf, REPLICAS, type ClusterSize, type Stage } from './stage.ts';
import { take, tell } from './steps.ts';

const SHORTENING_BUDGET = 2_000;
const RECOVERY_MS = 5_000;
const ATTEMPTS = 3;

/** The steps, one after the other. Throws where a promise is broken. */
export function* play<T>(stage: Stage<T>, { steps }: History): Generator<T, void, void> {
  for (const step of steps) {
    const taken = take(stage, step);
    if (taken !== undefined) yield taken;
  }
}

/** Its faults may have left nobody who could lead: a run without a failover shows nothing, so it ends them a little earlier. */
export function* demandFailover<T>(stage: Stage<T>): Generator<T, void, void> {
  if (stage.failovers > 0) return;
  stage.endFaults();
  for (let i = 0; i < ATTEMPTS && stage.failovers === 0; i++) {
    yield stage.run(RECOVERY_MS);
    yield stage.failOver('dead', 0);
  }
}

/** Throws with what is wrong once faults have stopped. */
export function* rest<T>(stage: Stage<T>): Generator<T, void, void> {
  const wrong = yield* whatIsWrong(stage);
  if (wrong !== undefined) throw new Error(wrong);
}

/** By the cores, to its rest. @throws Error with the promise that is broken */
export function runToRest(history: History): Cluster {
  const cluster = new Cluster(history.random, history.of);
  finish(play(cluster, history));
  finish(rest(cluster));
  return cluster;
}

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
const tellSize = ({ workers, dataPlanes, servers }: ClusterSize): string =>
  `${REPLICAS} replicas, ${count(workers, 'worker')}, ${count(dataPlanes, 'data plane')}, ${count(servers, 'server')}`;

export function script({ random, of, steps }: History): string {
  const members = membersOf(of);
  return [
    `a cluster of ${tellSize(of)} (random ${random}):`,
    ...steps.map((step, at) => `  ${String(at + 1).padStart(2)}. ${tell(step, members)}`),
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

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** @param check throws for a history that breaks a promise */
export function counterexampleOf(
  { counterexample, errorInstance, seed }: fc.RunDetails<[History]>,
  check: (history: History) => void,
): Counterexample {
  let why = messageOf(errorInstance);
  if (counterexample === null) return { text: `seed ${seed}: ${why}`, history: undefined };
  const history = shorten(counterexample[0], SHORTENING_BUDGET, (candidate) => {
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
