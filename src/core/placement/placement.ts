/**
 * Which worker starts a sandbox: filter, then score (docs/adr/0009-placement.md).
 *
 *   P1  a worker is never given more than its capacity; requests are reservations, not measurements;
 *   P2  nothing is placed on a worker that is cordoned, does not report, or lacks a label of the selector;
 *   P3  the choice is a function of what is passed in: the workers in their order, the turn, and the generator;
 *   P4  a choice scores at most SCORED workers, however many there are.
 *
 * The scores are kube-scheduler's, over CPU and memory as they would be after the placement, without its rounding to
 * whole numbers: 50 mCPU on a machine of 64 cores would not move them.
 */
import type { Prng } from '../../lib/prng.ts';
import type { ResourceSpec } from '../model/function.ts';
import { blockersOf, type Candidate, type PlacementRequest } from './filter.ts';

/** Where a function's round begins the next time. */
export interface Turn {
  next: number;
}

/** kube-scheduler's minFeasibleNodesToFind: more candidates make the choice dearer, and hardly better. */
export const SCORED = 100;
/** Draws before a random choice looks at all workers. */
const DRAWS = 16;
const BEST = 100;

/** LeastAllocated: the mean free share, 0 to 100. */
export function leastAllocated(candidate: Candidate, request: ResourceSpec): number {
  return BEST - mostAllocated(candidate, request);
}

/** MostAllocated: the mean used share, 0 to 100. */
export function mostAllocated(candidate: Candidate, request: ResourceSpec): number {
  return (BEST * (cpuShare(candidate, request) + memoryShare(candidate, request))) / 2;
}

/** NodeResourcesBalancedAllocation: 100 less the standard deviation of the two shares. */
export function balancedAllocation(candidate: Candidate, request: ResourceSpec): number {
  return BEST * (1 - Math.abs(cpuShare(candidate, request) - memoryShare(candidate, request)) / 2);
}

/** A worker without any of a resource counts as full of it. */
const share = (used: number, capacity: number): number => (capacity === 0 ? 1 : Math.min(1, used / capacity));

const cpuShare = ({ allocated, capacity }: Candidate, request: ResourceSpec): number =>
  share(allocated.cpuMillis + request.cpuMillis, capacity.cpuMillis);

const memoryShare = ({ allocated, capacity }: Candidate, request: ResourceSpec): number =>
  share(allocated.memoryMiB + request.memoryMiB, capacity.memoryMiB);

const emptyAndEven = (candidate: Candidate, request: ResourceSpec): number =>
  leastAllocated(candidate, request) + balancedAllocation(candidate, request);

interface Cursor {
  at: number;
}

export class Placer {
  readonly #random: Prng;
  /** Successive searches of many workers begin where the last one ended. */
  readonly #anywhere: Cursor = { at: 0 };
  readonly #holding: Cursor = { at: 0 };

  constructor(random: Prng) {
    this.#random = random;
  }

  /** Functions begin their rounds at different workers: otherwise the first would have one of each. */
  newTurn(): Turn {
    return { next: this.#random.uint32() };
  }

  /**
   * @param workers in an order that only grows at its end
   * @param holders those among them that hold the artifact already
   * @returns undefined when it fits nowhere
   */
  place<T extends Candidate>(
    workers: readonly T[],
    request: PlacementRequest,
    turn: Turn,
    holders: readonly T[] = [],
  ): T | undefined {
    if (workers.length === 0) return undefined;
    switch (request.strategy) {
      case 'least-allocated':
        return spread(workers, request, this.#anywhere);
      case 'artifact-locality':
        return spread(holders, request, this.#holding) ?? spread(workers, request, this.#anywhere);
      case 'bin-packing':
        // From the first worker each time: what is empty at the end of the order stays empty.
        return search(workers, request, 0, mostAllocated).best;
      case 'round-robin': {
        const at = firstFrom(workers, request, turn.next % workers.length);
        if (at === undefined) return undefined;
        turn.next = at + 1;
        return workers[at];
      }
      case 'random':
        return this.#any(workers, request);
      default:
        return request.strategy satisfies never;
    }
  }

  /** Uniform over the workers that it fits: draws that do not fit are drawn again, then one of all that fit is taken. */
  #any<T extends Candidate>(workers: readonly T[], request: PlacementRequest): T | undefined {
    for (let draw = 0; draw < DRAWS; draw++) {
      const worker = workers[this.#random.below(workers.length)];
      if (worker !== undefined && blockersOf(worker, request) === 0) return worker;
    }
    const feasible = workers.filter((worker) => blockersOf(worker, request) === 0);
    return feasible[this.#random.below(feasible.length)];
  }
}

function spread<T extends Candidate>(
  workers: readonly T[],
  request: PlacementRequest,
  cursor: Cursor,
): T | undefined {
  const { best, seen } = search(workers, request, cursor.at, emptyAndEven);
  cursor.at = (cursor.at + seen) % Math.max(1, workers.length);
  return best;
}

/** P4. Of equals the first that is met. */
function search<T extends Candidate>(
  workers: readonly T[],
  request: PlacementRequest,
  from: number,
  score: (candidate: T, resources: ResourceSpec) => number,
): { best: T | undefined; seen: number } {
  let best: T | undefined;
  let bestScore = Number.NEGATIVE_INFINITY;
  let scored = 0;
  let seen = 0;
  while (seen < workers.length && scored < SCORED) {
    const worker = workers[(from + seen++) % workers.length];
    if (worker === undefined || blockersOf(worker, request) !== 0) continue;
    scored++;
    const value = score(worker, request.resources);
    if (value <= bestScore) continue;
    best = worker;
    bestScore = value;
  }
  return { best, seen };
}

function firstFrom(
  workers: readonly Candidate[],
  request: PlacementRequest,
  from: number,
): number | undefined {
  for (let seen = 0; seen < workers.length; seen++) {
    const at = (from + seen) % workers.length;
    const worker = workers[at];
    if (worker !== undefined && blockersOf(worker, request) === 0) return at;
  }
  return undefined;
}
