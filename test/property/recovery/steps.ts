/** What may happen to the model cluster. Each step tells itself, so that a counterexample reads as a script. */
import { unreachable } from '../../../src/lib/assert.ts';
import type { DataPlaneId, ReplicaId, WorkerId } from '../../../src/lib/ids.ts';
import type { Cluster, Departure } from './cluster.ts';
import { FUNCTIONS } from './functions.ts';
import type { Concern, Direction, Weather } from './network.ts';

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

const workerOf = ({ workerIds }: Cluster, n: number): WorkerId => pick(workerIds, n);
const dataPlaneOf = ({ dataPlaneIds }: Cluster, n: number): DataPlaneId => pick(dataPlaneIds, n);
const replicaOf = ({ replicaIds }: Cluster, n: number): ReplicaId => pick(replicaIds, n);
const memberOf = ({ workerIds, dataPlaneIds, replicaIds }: Cluster, n: number): string =>
  pick<string>([...workerIds, ...dataPlaneIds, ...replicaIds], n);

/** One line of the script; with a cluster, its members have their names. */
export function tell(step: Step, cluster: Cluster): string {
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
      return `call ${nameOf(step.fn)} ${step.times} times through ${dataPlaneOf(cluster, step.through)}`;
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
      return `${step.do} ${replicaOf(cluster, step.who)}`;
    case 'cordon':
    case 'uncordon':
    case 'drain':
    case 'kill worker':
    case 'start worker':
    case 'restart worker':
      return `${step.do} ${workerOf(cluster, step.who)}`;
    case 'kill data plane':
    case 'start data plane':
    case 'restart data plane':
      return `${step.do} ${dataPlaneOf(cluster, step.who)}`;
    case 'cut':
      return `cut ${memberOf(cluster, step.who)} from the bus, ${step.directions.join(' and ')}`;
    case 'heal':
      return `heal ${memberOf(cluster, step.who)}`;
    case 'part':
      return `part ${memberOf(cluster, step.from)} ${step.bothWays ? 'and' : '→'} ${memberOf(cluster, step.to)}`;
    case 'join':
      return `join ${memberOf(cluster, step.from)} and ${memberOf(cluster, step.to)}`;
    case 'weather':
      return `${step.weather} ${step.concern} for ${memberOf(cluster, step.who)}`;
    case 'a sandbox crashes':
      return `sandbox #${step.which} crashes`;
    case 'starts fail':
      return `the next ${step.times} starts on ${workerOf(cluster, step.who)} fail`;
    default:
      return unreachable(step, 'step');
  }
}

export function take(cluster: Cluster, step: Step): void {
  const { network } = cluster;
  switch (step.do) {
    case 'wait':
    case 'scale down':
      return cluster.run(step.ms);
    case 'register': {
      const { min, hardLimit, trial, insists } = step;
      return cluster.register(nameOf(step.fn), { min, hardLimit, target: 2 }, { trial, insists });
    }
    case 'unregister':
      return cluster.unregister(nameOf(step.fn), step.insists);
    case 'call':
      for (let n = 0; n < step.times; n++) cluster.call(nameOf(step.fn), dataPlaneOf(cluster, step.through));
      return;
    case 'burst':
      for (let n = 0; n < step.times; n++) cluster.call(nameOf(step.fn), dataPlaneOf(cluster, n));
      return;
    case 'fail over':
      return cluster.failOver(step.old, step.leaderlessMs);
    case 'kill replica':
      return cluster.killReplica(replicaOf(cluster, step.who), 'dead');
    case 'start replica':
      return cluster.startReplica(replicaOf(cluster, step.who));
    case 'all replicas restart':
      return cluster.restartControlPlane(step.ms);
    case 'wake the old leaders':
      return cluster.wakeZombies();
    case 'the leader loses its bus':
      return cluster.leaderLosesBus(step.ms);
    case 'everyone loses the bus':
      return cluster.blackOut(step.ms);
    case 'cordon':
    case 'uncordon':
    case 'drain': {
      const cordon = { on: step.do !== 'uncordon', drain: step.do === 'drain' };
      return cluster.cordon(workerOf(cluster, step.who), cordon);
    }
    case 'cut':
      return network.cut(memberOf(cluster, step.who), step.directions);
    case 'heal':
      return network.heal(memberOf(cluster, step.who));
    case 'part':
      network.part(memberOf(cluster, step.from), memberOf(cluster, step.to));
      if (step.bothWays) network.part(memberOf(cluster, step.to), memberOf(cluster, step.from));
      return;
    case 'join':
      return network.join(memberOf(cluster, step.from), memberOf(cluster, step.to));
    case 'weather':
      return network.weather(memberOf(cluster, step.who), step.weather, step.concern);
    case 'kill worker':
      return cluster.killWorker(workerOf(cluster, step.who));
    case 'start worker':
      return cluster.startWorker(workerOf(cluster, step.who));
    case 'restart worker':
      cluster.killWorker(workerOf(cluster, step.who));
      return cluster.startWorker(workerOf(cluster, step.who));
    case 'kill data plane':
      return cluster.killDataPlane(dataPlaneOf(cluster, step.who));
    case 'start data plane':
      return cluster.startDataPlane(dataPlaneOf(cluster, step.who));
    case 'restart data plane':
      cluster.killDataPlane(dataPlaneOf(cluster, step.who));
      return cluster.startDataPlane(dataPlaneOf(cluster, step.who));
    case 'a sandbox crashes': {
      const running = cluster
        .liveWorkers()
        .flatMap((worker) => [...worker.running.keys()].map((id) => ({ worker, id })));
      if (running.length === 0) return;
      const { worker, id } = pick(running, step.which);
      return worker.crash(id);
    }
    case 'starts fail': {
      const worker = cluster.worker(workerOf(cluster, step.who));
      if (worker !== undefined) worker.failingStarts = step.times;
      return;
    }
    default:
      return unreachable(step, 'step');
  }
}
