/** What may happen to a cluster. Each step tells itself, so that a counterexample reads as a script. */
import { unreachable } from '../../../src/lib/assert.ts';
import type { DataPlaneId, ReplicaId, WorkerId } from '../../../src/lib/ids.ts';
import { FUNCTIONS } from './functions.ts';
import type { Concern, Direction, Weather } from './network.ts';
import type { Departure, Members, Stage } from './stage.ts';

export type Step =
  | { readonly do: 'wait'; readonly ms: number }
  | {
      readonly do: 'register';
      readonly fn: number;
      readonly min: number;
      readonly hardLimit: number;
      readonly trial: boolean;
      readonly insists: boolean;
    }
  | { readonly do: 'unregister'; readonly fn: number; readonly insists: boolean }
  | { readonly do: 'call'; readonly fn: number; readonly through: number; readonly times: number }
  | { readonly do: 'burst'; readonly fn: number; readonly times: number }
  | { readonly do: 'scale down'; readonly ms: number }
  | { readonly do: 'fail over'; readonly old: Departure; readonly leaderlessMs: number }
  | { readonly do: 'kill replica' | 'start replica'; readonly who: number }
  | { readonly do: 'all replicas restart'; readonly ms: number }
  | { readonly do: 'wake the old leaders' }
  | { readonly do: 'the leader loses its bus' | 'everyone loses the bus'; readonly ms: number }
  | { readonly do: 'cordon' | 'uncordon' | 'drain'; readonly who: number }
  | { readonly do: 'cut'; readonly who: number; readonly directions: readonly Direction[] }
  | { readonly do: 'heal'; readonly who: number }
  | { readonly do: 'part'; readonly from: number; readonly to: number; readonly bothWays: boolean }
  | { readonly do: 'join'; readonly from: number; readonly to: number }
  | { readonly do: 'weather'; readonly who: number; readonly weather: Weather; readonly concern: Concern }
  | { readonly do: 'kill worker' | 'start worker' | 'restart worker'; readonly who: number }
  | { readonly do: 'kill data plane' | 'start data plane' | 'restart data plane'; readonly who: number }
  | { readonly do: 'a sandbox crashes'; readonly which: number }
  | { readonly do: 'starts fail'; readonly who: number; readonly times: number };

/** What is no fault. */
const PEACEFUL: ReadonlySet<Step['do']> = new Set([
  'wait',
  'register',
  'unregister',
  'call',
  'burst',
  'scale down',
  'heal',
  'join',
  'start replica',
  'start worker',
  'start data plane',
  'uncordon',
]);

/** Of what kind a step's fault is; undefined: it is none. */
export function faultOf(step: Step): string | undefined {
  if (PEACEFUL.has(step.do)) return undefined;
  if (step.do === 'weather') return step.weather === 'clear' ? undefined : `${step.weather} ${step.concern}`;
  return step.do === 'fail over' ? `fail over: ${step.old}` : step.do;
}

const nameOf = (n: number): string => pick(FUNCTIONS, n);

function pick<T>(list: readonly T[], n: number): T {
  return list[n % list.length] as T;
}

const workerOf = ({ workerIds }: Members, n: number): WorkerId => pick(workerIds, n);
const dataPlaneOf = ({ dataPlaneIds }: Members, n: number): DataPlaneId => pick(dataPlaneIds, n);
const replicaOf = ({ replicaIds }: Members, n: number): ReplicaId => pick(replicaIds, n);
const memberOf = ({ workerIds, dataPlaneIds, replicaIds }: Members, n: number): string =>
  pick<string>([...workerIds, ...dataPlaneIds, ...replicaIds], n);

/** One line of the script; with the members' names. */
export function tell(step: Step, members: Members): string {
  switch (step.do) {
    case 'wait':
      return `wait ${step.ms} ms`;
    case 'register':
      return [
        `register ${nameOf(step.fn)}, min ${step.min}`,
        ...(step.hardLimit > 0 ? [`hard limit ${step.hardLimit}`] : []),
        ...(step.trial ? ['after a trial'] : []),
        ...(step.insists ? ['until it is answered'] : []),
      ].join(', ');
    case 'unregister':
      return `unregister ${nameOf(step.fn)}${step.insists ? ', until it is answered' : ''}`;
    case 'call':
      return `call ${nameOf(step.fn)} ${step.times} times through ${dataPlaneOf(members, step.through)}`;
    case 'burst':
      return `call ${nameOf(step.fn)} ${step.times} times through all data planes`;
    case 'scale down':
      return `no calls for ${step.ms} ms: scale down`;
    case 'fail over':
      return `fail over: the leader is ${step.old}, nobody campaigns for ${step.leaderlessMs} ms`;
    case 'all replicas restart':
      return `all replicas are killed, and are back after ${step.ms} ms`;
    case 'the leader loses its bus':
    case 'everyone loses the bus':
      return `${step.do} for ${step.ms} ms`;
    case 'wake the old leaders':
      return step.do;
    case 'kill replica':
    case 'start replica':
      return `${step.do} ${replicaOf(members, step.who)}`;
    case 'cordon':
    case 'uncordon':
    case 'drain':
    case 'kill worker':
    case 'start worker':
    case 'restart worker':
      return `${step.do} ${workerOf(members, step.who)}`;
    case 'kill data plane':
    case 'start data plane':
    case 'restart data plane':
      return `${step.do} ${dataPlaneOf(members, step.who)}`;
    case 'cut':
      return `cut ${memberOf(members, step.who)} from the bus, ${step.directions.join(' and ')}`;
    case 'heal':
      return `heal ${memberOf(members, step.who)}`;
    case 'part':
      return `part ${memberOf(members, step.from)} ${step.bothWays ? 'and' : '→'} ${memberOf(members, step.to)}`;
    case 'join':
      return `join ${memberOf(members, step.from)} and ${memberOf(members, step.to)}`;
    case 'weather':
      return `${step.weather} ${step.concern} for ${memberOf(members, step.who)}`;
    case 'a sandbox crashes':
      return `sandbox #${step.which} crashes`;
    case 'starts fail':
      return `the next ${step.times} starts on ${workerOf(members, step.who)} fail`;
    default:
      return unreachable(step, 'step');
  }
}

/** Undefined: the step takes no virtual time by itself. */
export function take<T>(stage: Stage<T>, step: Step): T | undefined {
  switch (step.do) {
    case 'wait':
    case 'scale down':
      return stage.run(step.ms);
    case 'fail over':
      return stage.failOver(step.old, step.leaderlessMs);
    default:
      strike(stage, step);
      return undefined;
  }
}

type Strike = Exclude<
  Step,
  { readonly do: 'wait' } | { readonly do: 'scale down' } | { readonly do: 'fail over' }
>;

function strike<T>(stage: Stage<T>, step: Strike): void {
  const { network } = stage;
  switch (step.do) {
    case 'register': {
      const { min, hardLimit, trial, insists } = step;
      return stage.register(nameOf(step.fn), { min, hardLimit, target: 2 }, { trial, insists });
    }
    case 'unregister':
      return stage.unregister(nameOf(step.fn), step.insists);
    case 'call':
      for (let n = 0; n < step.times; n++) stage.call(nameOf(step.fn), dataPlaneOf(stage, step.through));
      return;
    case 'burst':
      for (let n = 0; n < step.times; n++) stage.call(nameOf(step.fn), dataPlaneOf(stage, n));
      return;
    case 'kill replica':
      return stage.killReplica(replicaOf(stage, step.who), 'dead');
    case 'start replica':
      return stage.startReplica(replicaOf(stage, step.who));
    case 'all replicas restart':
      return stage.restartControlPlane(step.ms);
    case 'wake the old leaders':
      return stage.wakeZombies();
    case 'the leader loses its bus':
      return stage.leaderLosesBus(step.ms);
    case 'everyone loses the bus':
      return stage.blackOut(step.ms);
    case 'cordon':
    case 'uncordon':
    case 'drain': {
      const cordon = { on: step.do !== 'uncordon', drain: step.do === 'drain' };
      return stage.cordon(workerOf(stage, step.who), cordon);
    }
    case 'cut':
      return network.cut(memberOf(stage, step.who), step.directions);
    case 'heal':
      return network.heal(memberOf(stage, step.who));
    case 'part':
      network.part(memberOf(stage, step.from), memberOf(stage, step.to));
      if (step.bothWays) network.part(memberOf(stage, step.to), memberOf(stage, step.from));
      return;
    case 'join':
      return network.join(memberOf(stage, step.from), memberOf(stage, step.to));
    case 'weather':
      return network.weather(memberOf(stage, step.who), step.weather, step.concern);
    case 'kill worker':
      return stage.killWorker(workerOf(stage, step.who));
    case 'start worker':
      return stage.startWorker(workerOf(stage, step.who));
    case 'restart worker':
      stage.killWorker(workerOf(stage, step.who));
      return stage.startWorker(workerOf(stage, step.who));
    case 'kill data plane':
      return stage.killDataPlane(dataPlaneOf(stage, step.who));
    case 'start data plane':
      return stage.startDataPlane(dataPlaneOf(stage, step.who));
    case 'restart data plane':
      stage.killDataPlane(dataPlaneOf(stage, step.who));
      return stage.startDataPlane(dataPlaneOf(stage, step.who));
    case 'a sandbox crashes':
      return stage.crashSandbox(step.which);
    case 'starts fail':
      return stage.failStarts(workerOf(stage, step.who), step.times);
    default:
      return unreachable(step, 'step');
  }
}
