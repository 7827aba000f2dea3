/** Random histories of the model cluster: every command of the issue, in the proportions that make trouble. */
import fc from 'fast-check';
import { STREAMS, type Concern, type Direction, type Weather } from './network.ts';
import type { ClusterSize } from './stage.ts';
import type { Step } from './steps.ts';

export interface History {
  /** Of everything that is random in the cluster itself. */
  readonly random: number;
  readonly of: ClusterSize;
  readonly steps: readonly Step[];
}

const index = fc.nat({ max: 11 });
const fn = fc.nat({ max: 2 });
const insists = fc.boolean();

/** What a step says beside what it does. */
type Fields<T extends Step['do'], S = Step> = S extends { readonly do: infer D }
  ? T extends D
    ? Omit<S, 'do'>
    : never
  : never;

const of = <T extends Step['do']>(
  what: T,
  more: { [K in keyof Fields<T>]: fc.Arbitrary<Fields<T>[K]> },
): fc.Arbitrary<Step> => fc.record({ do: fc.constant(what), ...more }) as unknown as fc.Arbitrary<Step>;

const wait = of('wait', {
  ms: fc.oneof(
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 12 }) },
    { weight: 2, arbitrary: fc.integer({ min: 12, max: 200 }) },
    { weight: 2, arbitrary: fc.integer({ min: 200, max: 4_500 }) },
  ),
});
const register = of('register', {
  fn,
  min: fc.nat({ max: 3 }),
  hardLimit: fc.constantFrom(0, 0, 0, 1, 2),
  trial: fc.boolean(),
  insists,
});
const registerHard = of('register', {
  fn,
  min: fc.nat({ max: 3 }),
  hardLimit: fc.constantFrom(1, 1, 2, 0),
  trial: fc.boolean(),
  insists: fc.constant(true),
});
const unregister = of('unregister', { fn, insists });
const call = of('call', { fn, through: index, times: fc.integer({ min: 1, max: 12 }) });
const burst = of('burst', { fn, times: fc.integer({ min: 20, max: 60 }) });
const scaleDown = of('scale down', { ms: fc.integer({ min: 2_300, max: 4_500 }) });
const failOver = of('fail over', {
  old: fc.constantFrom(
    'dead' as const,
    'dead' as const,
    'frozen' as const,
    'cut off' as const,
    'handed over' as const,
  ),
  leaderlessMs: fc.oneof(
    { weight: 2, arbitrary: fc.constant(0) },
    { weight: 4, arbitrary: fc.integer({ min: 1, max: 1_500 }) },
    { weight: 1, arbitrary: fc.integer({ min: 1_500, max: 6_000 }) },
  ),
});
const restartAll = of('all replicas restart', { ms: fc.integer({ min: 1, max: 4_000 }) });
const wake = of('wake the old leaders', {});
const blackout = of('everyone loses the bus', { ms: fc.integer({ min: 10, max: 8_000 }) });
const directions = fc.constantFrom<readonly Direction[]>(['in', 'out'], ['in'], ['out']);
const weather = (kinds: readonly Weather[]): fc.Arbitrary<Step> =>
  of('weather', {
    who: index,
    weather: fc.constantFrom(...kinds),
    concern: fc.constantFrom<Concern>('messages', 'messages', ...STREAMS),
  });
const pair = { from: index, to: index };

const weighted = (list: readonly (readonly [number, fc.Arbitrary<Step>])[]): fc.Arbitrary<Step> =>
  fc.oneof(...list.map(([weight, arbitrary]) => ({ weight, arbitrary })));

/** Everything that may go wrong. */
const anyStep: fc.Arbitrary<Step> = weighted([
  [10, wait],
  [4, register],
  [1, unregister],
  [6, call],
  [1, burst],
  [1, scaleDown],
  [4, failOver],
  [1, of('kill replica', { who: index })],
  [1, of('start replica', { who: index })],
  [1, restartAll],
  [1, wake],
  [1, of('the leader loses its bus', { ms: fc.integer({ min: 10, max: 2_500 }) })],
  [1, blackout],
  [1, of('cordon', { who: index })],
  [1, of('uncordon', { who: index })],
  [2, of('drain', { who: index })],
  [2, of('cut', { who: index, directions })],
  [2, of('heal', { who: index })],
  [2, of('part', { ...pair, bothWays: fc.boolean() })],
  [2, of('join', pair)],
  [3, weather(['clear', 'lossy', 'slow', 'unordered', 'repeating'])],
  [2, of('kill worker', { who: index })],
  [2, of('start worker', { who: index })],
  [1, of('restart worker', { who: index })],
  [1, of('kill data plane', { who: index })],
  [1, of('start data plane', { who: index })],
  [1, of('restart data plane', { who: index })],
  [1, of('a sandbox crashes', { which: index })],
  [1, of('starts fail', { who: index, times: fc.integer({ min: 1, max: 2 }) })],
]);

/** Only the control plane and its messages suffer: nothing that serves has a reason to end. */
const controlPlaneStep: fc.Arbitrary<Step> = weighted([
  [8, wait],
  [6, call],
  [5, failOver],
  [1, of('kill replica', { who: index })],
  [2, of('start replica', { who: index })],
  [2, restartAll],
  [1, blackout],
  [1, wake],
  // No weather in which three heartbeats in a row may be lost: that is silence, and an end of its own.
  [2, weather(['clear', 'slow', 'repeating'])],
]);

/** Workers are emptied and taken back, whoever leads: nothing that serves has a reason to fail. */
const maintenanceStep: fc.Arbitrary<Step> = weighted([
  [6, wait],
  [4, scaleDown],
  [6, call],
  [6, of('drain', { who: index })],
  [3, of('uncordon', { who: index })],
  [1, of('cordon', { who: index })],
  [3, failOver],
  [1, restartAll],
  [2, of('start replica', { who: index })],
  [1, weather(['clear', 'slow', 'repeating'])],
]);

/** Data planes come and go, and are parted from one another, while functions with a hard limit are called. */
const ownershipStep: fc.Arbitrary<Step> = weighted([
  [8, wait],
  [2, registerHard],
  [8, call],
  [2, burst],
  [2, scaleDown],
  [3, failOver],
  [2, of('cut', { who: index, directions })],
  [2, of('heal', { who: index })],
  [2, of('part', { ...pair, bothWays: fc.boolean() })],
  [2, of('join', pair)],
  [2, weather(['clear', 'lossy', 'slow', 'unordered', 'repeating'])],
  [2, of('kill data plane', { who: index })],
  [2, of('start data plane', { who: index })],
  [2, of('restart data plane', { who: index })],
]);

const many = (step: fc.Arbitrary<Step>, minLength: number, maxLength: number): fc.Arbitrary<Step[]> =>
  fc.array(step, { minLength, maxLength, size: 'max' });

/** Something serves before anything goes wrong. */
const beginning = (first: fc.Arbitrary<Step[]>, later: fc.Arbitrary<Step[]>): fc.Arbitrary<Step[]> =>
  fc.tuple(first, later).map(([one, two]) => [...one, { do: 'wait', ms: 500 } as const, ...two]);

const some = fc.array(register, { maxLength: 3 });
const someHard = fc.array(registerHard, { minLength: 1, maxLength: 2 });

/** At a boundary between two steps, whichever. */
const withFailover = (steps: fc.Arbitrary<Step[]>): fc.Arbitrary<Step[]> =>
  fc
    .tuple(steps, failOver, fc.nat())
    .map(([list, one, at]) => list.toSpliced(at % (list.length + 1), 0, one));

/** Forty steps at least, and a failover at least; one in six fails over at every boundary between two steps. */
const long = fc.oneof(
  { weight: 1, arbitrary: withFailover(beginning(someHard, many(ownershipStep, 40, 60))) },
  { weight: 4, arbitrary: withFailover(many(anyStep, 40, 60)) },
  {
    weight: 1,
    arbitrary: fc
      .array(fc.tuple(anyStep, failOver), { minLength: 20, maxLength: 30, size: 'max' })
      .map((pairs) => pairs.flat()),
  },
);

const size = (minDataPlanes: number): fc.Arbitrary<ClusterSize> =>
  fc.record({
    workers: fc.integer({ min: 1, max: 6 }),
    dataPlanes: fc.integer({ min: minDataPlanes, max: 3 }),
    servers: fc.integer({ min: 1, max: 2 }),
  });

const history = (steps: fc.Arbitrary<Step[]>, minDataPlanes = 1): fc.Arbitrary<History> =>
  fc.record({ random: fc.nat(), of: size(minDataPlanes), steps });

export const anyHistory: fc.Arbitrary<History> = history(beginning(some, many(anyStep, 5, 40)));
export const longHistory: fc.Arbitrary<History> = history(beginning(some, long));
export const controlPlaneHistory: fc.Arbitrary<History> = history(many(controlPlaneStep, 3, 25));
export const maintenanceHistory: fc.Arbitrary<History> = history(many(maintenanceStep, 3, 25));
export const ownershipHistory: fc.Arbitrary<History> = history(
  beginning(someHard, many(ownershipStep, 10, 40)),
  2,
);
