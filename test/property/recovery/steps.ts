/** Histories: what may happen to the model cluster. Each step tells itself, so that a counterexample reads as a script. */
import fc from 'fast-check';
import { unreachable } from '../../../src/lib/assert.ts';
import type { DataPlaneId, WorkerId } from '../../../src/lib/ids.ts';
import type { Cluster } from './cluster.ts';
import type { Direction, Weather } from './network.ts';
import type { SpecKnobs } from './registry.ts';

export type Step =
  | { readonly do: 'wait'; readonly ms: number }
  | {
      readonly do: 'register';
      readonly fn: number;
      readonly min: number;
      readonly hardLimit: number;
      readonly trial: boolean;
    }
  | { readonly do: 'unregister'; readonly fn: number }
  | { readonly do: 'call'; readonly fn: number; readonly through: number; readonly times: number }
  | { readonly do: 'fail over'; readonly old: 'dead' | 'frozen'; readonly leaderlessMs: number }
  | { readonly do: 'wake the old leaders' }
  | { readonly do: 'the leader loses its bus' | 'everyone loses the bus'; readonly ms: number }
  | { readonly do: 'cordon' | 'uncordon'; readonly who: number }
  | { readonly do: 'cut'; readonly who: number; readonly directions: readonly Direction[] }
  | { readonly do: 'heal'; readonly who: number }
  | { readonly do: 'weather'; readonly who: number; readonly weather: Weather }
  | { readonly do: 'kill worker' | 'start worker'; readonly who: number }
  | { readonly do: 'kill data plane' | 'start data plane'; readonly who: number }
  | { readonly do: 'a sandbox crashes'; readonly which: number }
  | { readonly do: 'starts fail'; readonly who: number; readonly times: number };

const index = fc.nat({ max: 11 });
const fn = fc.nat({ max: 2 });
const min = fc.nat({ max: 3 });
const directions = fc.constantFrom<readonly Direction[]>(['in', 'out'], ['in'], ['out']);

const wait = fc.record({
  do: fc.constant('wait' as const),
  ms: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 200, max: 4_500 })),
});
const register = fc.record({
  do: fc.constant('register' as const),
  fn,
  min,
  hardLimit: fc.constantFrom(0, 0, 0, 1, 2),
  trial: fc.boolean(),
});
const call = fc.record({
  do: fc.constant('call' as const),
  fn,
  through: index,
  times: fc.integer({ min: 1, max: 12 }),
});
const failOver = fc.record({
  do: fc.constant('fail over' as const),
  old: fc.constantFrom('dead' as const, 'frozen' as const),
  // Longer: all replicas were killed, and came back.
  leaderlessMs: fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 1, max: 1_500 }) },
    { weight: 1, arbitrary: fc.integer({ min: 1_500, max: 6_000 }) },
  ),
});
const wake = fc.constant<Step>({ do: 'wake the old leaders' });
const busLoss = fc.record({
  do: fc.constant('the leader loses its bus' as const),
  ms: fc.integer({ min: 10, max: 2_500 }),
});
const blackout = fc.record({
  do: fc.constant('everyone loses the bus' as const),
  ms: fc.integer({ min: 10, max: 8_000 }),
});
const cut = fc.record({ do: fc.constant('cut' as const), who: index, directions });
const heal = fc.record({ do: fc.constant('heal' as const), who: index });
const weather = fc.record({
  do: fc.constant('weather' as const),
  who: index,
  weather: fc.constantFrom<Weather>('clear', 'lossy', 'slow', 'unordered', 'repeating'),
});
/** No weather in which three heartbeats in a row may be lost: that is silence, and an end of its own. */
const fairWeather = fc.record({
  do: fc.constant('weather' as const),
  who: index,
  weather: fc.constantFrom<Weather>('clear', 'slow', 'repeating'),
});
const member = <T extends Step['do']>(what: T): fc.Arbitrary<{ do: T; who: number }> =>
  fc.record({ do: fc.constant(what), who: index });

const told1 = (step: Step): Step => Object.assign({ ...step }, { [fc.toStringMethod]: () => tell(step) });
const told = (step: fc.Arbitrary<Step>): fc.Arbitrary<Step> => step.map(told1);

/** Everything that may go wrong. */
const anyStep: fc.Arbitrary<Step> = told(
  fc.oneof(
    { weight: 10, arbitrary: wait },
    { weight: 4, arbitrary: register },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('unregister' as const), fn }) },
    { weight: 6, arbitrary: call },
    { weight: 4, arbitrary: failOver },
    { weight: 1, arbitrary: wake },
    { weight: 1, arbitrary: busLoss },
    { weight: 1, arbitrary: blackout },
    { weight: 1, arbitrary: member('cordon') as fc.Arbitrary<Step> },
    { weight: 1, arbitrary: member('uncordon') as fc.Arbitrary<Step> },
    { weight: 2, arbitrary: cut },
    { weight: 2, arbitrary: heal },
    { weight: 3, arbitrary: weather },
    { weight: 2, arbitrary: member('kill worker') as fc.Arbitrary<Step> },
    { weight: 2, arbitrary: member('start worker') as fc.Arbitrary<Step> },
    { weight: 1, arbitrary: member('kill data plane') as fc.Arbitrary<Step> },
    { weight: 1, arbitrary: member('start data plane') as fc.Arbitrary<Step> },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('a sandbox crashes' as const), which: index }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('starts fail' as const),
        who: index,
        times: fc.integer({ min: 1, max: 2 }),
      }),
    },
  ),
);

/** Only the control plane and its messages suffer: nothing that serves has a reason to end. */
const controlPlaneStep: fc.Arbitrary<Step> = told(
  fc.oneof(
    { weight: 8, arbitrary: wait },
    { weight: 6, arbitrary: call },
    { weight: 5, arbitrary: failOver },
    { weight: 1, arbitrary: wake },
    { weight: 2, arbitrary: fairWeather },
  ),
);

/** Something serves before anything goes wrong. */
const beginning = (later: fc.Arbitrary<Step[]>): fc.Arbitrary<Step[]> =>
  fc
    .tuple(fc.array(told(register), { maxLength: 3 }), later)
    .map(([first, rest]) => [...first, told1({ do: 'wait', ms: 500 }), ...rest]);

export const histories: fc.Arbitrary<Step[]> = beginning(fc.array(anyStep, { minLength: 5, maxLength: 40 }));

const withFailover = (steps: readonly Step[], one: Step): Step[] =>
  steps.some((step) => step.do === 'fail over') ? [...steps] : [...steps, one];

/** Forty steps at least, and a failover at least; one in five fails over at every boundary between two steps. */
export const longHistories: fc.Arbitrary<Step[]> = beginning(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc
        .tuple(fc.array(anyStep, { minLength: 40, maxLength: 60, size: 'max' }), told(failOver))
        .map(([steps, one]) => withFailover(steps, one)),
    },
    {
      weight: 1,
      arbitrary: fc
        .array(fc.tuple(anyStep, told(failOver)), { minLength: 20, maxLength: 30, size: 'max' })
        .map((pairs) => pairs.flat()),
    },
  ),
);

export const controlPlaneHistories: fc.Arbitrary<Step[]> = fc.array(controlPlaneStep, {
  minLength: 3,
  maxLength: 25,
});

export const FUNCTIONS = ['ant', 'bee', 'cat'] as const;
const nameOf = (n: number): string => FUNCTIONS[n % FUNCTIONS.length] ?? FUNCTIONS[0];

export function tell(step: Step): string {
  switch (step.do) {
    case 'wait':
      return `wait ${step.ms} ms`;
    case 'register':
      return `register ${nameOf(step.fn)}, min ${step.min}, hard limit ${step.hardLimit}${step.trial ? ', after a trial' : ''}`;
    case 'unregister':
      return `unregister ${nameOf(step.fn)}`;
    case 'call':
      return `call ${nameOf(step.fn)} ${step.times} times through data plane #${step.through}`;
    case 'fail over':
      return `fail over: the leader is ${step.old}, the next one comes after ${step.leaderlessMs} ms`;
    case 'the leader loses its bus':
    case 'everyone loses the bus':
      return `${step.do} for ${step.ms} ms`;
    case 'cordon':
    case 'uncordon':
      return `${step.do} worker #${step.who}`;
    case 'wake the old leaders':
      return step.do;
    case 'cut':
      return `cut member #${step.who} ${step.directions.join(' and ')}`;
    case 'weather':
      return `${step.weather} weather for member #${step.who}`;
    case 'a sandbox crashes':
      return `sandbox #${step.which} crashes`;
    case 'starts fail':
      return `the next ${step.times} starts on worker #${step.who} fail`;
    case 'heal':
    case 'kill worker':
    case 'start worker':
    case 'kill data plane':
    case 'start data plane':
      return `${step.do} #${step.who}`;
    default:
      return unreachable(step, 'step');
  }
}

export function take(cluster: Cluster, step: Step): void {
  const workerId = (n: number): WorkerId => pick(cluster.workerIds, n);
  const dataPlaneId = (n: number): DataPlaneId => pick(cluster.dataPlaneIds, n);
  const memberId = (n: number): string => pick([...cluster.workerIds, ...cluster.dataPlaneIds], n);
  switch (step.do) {
    case 'wait':
      return cluster.run(step.ms);
    case 'register': {
      const knobs: SpecKnobs = { min: step.min, hardLimit: step.hardLimit, target: 2 };
      return cluster.register(nameOf(step.fn), knobs, step.trial);
    }
    case 'unregister':
      return cluster.unregister(nameOf(step.fn));
    case 'call':
      for (let n = 0; n < step.times; n++) cluster.call(nameOf(step.fn), dataPlaneId(step.through));
      return;
    case 'fail over':
      cluster.depose(step.old);
      cluster.run(step.leaderlessMs);
      return cluster.elect();
    case 'wake the old leaders':
      return cluster.wakeZombies();
    case 'the leader loses its bus':
      return cluster.leader?.loseBus(step.ms);
    case 'everyone loses the bus':
      return cluster.blackOut(step.ms);
    case 'cordon':
    case 'uncordon':
      return cluster.cordon(workerId(step.who), step.do === 'cordon');
    case 'cut':
      return cluster.network.cut(memberId(step.who), step.directions);
    case 'heal':
      return cluster.network.heal(memberId(step.who));
    case 'weather':
      return cluster.network.weather(memberId(step.who), step.weather);
    case 'kill worker':
      return cluster.killWorker(workerId(step.who));
    case 'start worker':
      return cluster.startWorker(workerId(step.who));
    case 'kill data plane':
      return cluster.killDataPlane(dataPlaneId(step.who));
    case 'start data plane':
      return cluster.startDataPlane(dataPlaneId(step.who));
    case 'a sandbox crashes': {
      const running = cluster
        .liveWorkers()
        .flatMap((worker) => [...worker.running.keys()].map((id) => ({ worker, id })));
      if (running.length === 0) return;
      const { worker, id } = pick(running, step.which);
      return worker.crash(id);
    }
    case 'starts fail': {
      const worker = cluster.worker(workerId(step.who));
      if (worker !== undefined) worker.failingStarts = step.times;
      return;
    }
    default:
      return unreachable(step, 'step');
  }
}

function pick<T>(list: readonly T[], n: number): T {
  return list[n % list.length] as T;
}
