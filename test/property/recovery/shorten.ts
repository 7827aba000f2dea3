/**
 * A counterexample cut down to the steps that it needs: fast-check shrinks what a step says, and cannot go below the length that
 * histories are drawn with. Chunks of steps are left out, ever smaller ones, until none can be (Zeller's ddmin), and what is left
 * is made smaller.
 */
import type { History } from './histories.ts';
import type { Step } from './steps.ts';

/**
 * Yields histories, and is told of each whether it fails.
 *
 * @param budget histories that are tried at most
 */
function* shortened(history: History, budget: number): Generator<History, History, boolean> {
  let { steps } = history;
  let left = budget;
  function* accept(candidate: readonly Step[]): Generator<History, boolean, boolean> {
    if (left-- <= 0 || !(yield { ...history, steps: candidate })) return false;
    steps = candidate;
    return true;
  }
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    let at = 0;
    while (at < steps.length) if (!(yield* accept(steps.toSpliced(at, size)))) at += size;
  }
  for (let at = 0; at < steps.length; at++) {
    for (const smaller of smallerThan(steps[at] as Step)) if (yield* accept(steps.with(at, smaller))) break;
  }
  return { ...history, steps };
}

export function shorten(history: History, budget: number, fails: (candidate: History) => boolean): History {
  const candidates = shortened(history, budget);
  let { done, value } = candidates.next();
  while (done !== true) ({ done, value } = candidates.next(fails(value)));
  return value;
}

export async function shortenLater(
  history: History,
  budget: number,
  fails: (candidate: History) => Promise<boolean>,
): Promise<History> {
  const candidates = shortened(history, budget);
  let { done, value } = candidates.next();
  while (done !== true) ({ done, value } = candidates.next(await fails(value)));
  return value;
}

/** The boldest first. */
function smallerThan(step: Step): Step[] {
  switch (step.do) {
    case 'wait':
    case 'scale down':
    case 'all replicas restart':
    case 'the leader loses its bus':
    case 'everyone loses the bus':
      return fractions(step.ms).map((ms) => ({ ...step, ms }));
    case 'call':
    case 'burst':
    case 'starts fail':
      return fractions(step.times).map((times) => ({ ...step, times }));
    case 'fail over':
      return [
        ...(step.old === 'dead' ? [] : [{ ...step, old: 'dead' as const }]),
        ...(step.leaderlessMs === 0 ? [] : [{ ...step, leaderlessMs: 0 }]),
        ...fractions(step.leaderlessMs).map((leaderlessMs) => ({ ...step, leaderlessMs })),
      ];
    case 'register':
      return [
        { ...step, min: 0, hardLimit: 0, trial: false },
        { ...step, trial: false },
        { ...step, min: 0 },
        { ...step, hardLimit: 0 },
      ].filter((other) => JSON.stringify(other) !== JSON.stringify(step));
    default:
      return [];
  }
}

/** Whole numbers below it, and above 0. */
function fractions(value: number): number[] {
  const parts = [1, Math.floor(value / 8), Math.floor(value / 2), Math.floor((value * 3) / 4)];
  return [...new Set(parts.filter((part) => part > 0 && part < value))];
}
