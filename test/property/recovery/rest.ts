/** R1, R2, R5 and R6 once faults have stopped: everything comes to rest, of one mind, stays so, serves, and survives its leader. */
import type { FunctionRecord } from '../../../src/core/model/function.ts';
import type { SandboxStatus } from '../../../src/core/model/sandbox.ts';
import type { DataPlaneId } from '../../../src/lib/ids.ts';
import type { Cluster, Departure } from './cluster.ts';
import { FUNCTIONS } from './functions.ts';
import { versionOf } from './registry.ts';
import type { Outcome } from './request.ts';

/** R6: the bound on the way back. */
const SETTLE_MS = 20_000;
const STILL_MS = 1_000;

/** Undefined: nothing is. */
export function whatIsWrong(cluster: Cluster): string | undefined {
  cluster.endFaults();
  return (
    settle(cluster) ??
    callEverything(cluster) ??
    settle(cluster) ??
    surviveFailover(cluster, 'dead') ??
    surviveFailover(cluster, 'handed over')
  );
}

/** Until it has been at rest for a while. @returns what keeps it from that, if anything does */
function settle(cluster: Cluster): string | undefined {
  const untilMs = cluster.nowMs + SETTLE_MS;
  let restedMs = 0;
  while (cluster.nowMs < untilMs && restedMs < STILL_MS) {
    cluster.run(100);
    restedMs = unsettled(cluster) === undefined ? restedMs + 100 : 0;
  }
  return unsettled(cluster);
}

interface Call {
  readonly name: string;
  readonly id: DataPlaneId;
}

/** Each function through each data plane. */
function callEverything(cluster: Cluster): string | undefined {
  const calls = cluster.registry
    .list()
    .flatMap(({ spec: { name } }) => cluster.dataPlaneIds.map((id) => ({ name, id })));
  return failures(cluster, calls, 5_000);
}

function failures(cluster: Cluster, wanted: readonly Call[], withinMs: number): string | undefined {
  const calls = wanted.map((call) => ({ ...call, request: cluster.call(call.name, call.id) }));
  cluster.run(withinMs);
  const failed = calls.filter(({ request }) => request?.outcome !== 'ok');
  if (failed.length === 0) return undefined;
  const tell = (outcome: Outcome | undefined): string => outcome ?? 'no end';
  return failed.map(({ name, id, request }) => `${name} through ${id}: ${tell(request?.outcome)}`).join(', ');
}

/** R2, where nothing else is wrong: the same sandboxes before and after, and what is warm notices nothing. */
function surviveFailover(cluster: Cluster, how: Departure): string | undefined {
  const fleet = names(truthOf(cluster).map(({ id }) => id));
  // One call each, so that there is no reason to start anything.
  const warm = cluster.registry
    .list()
    .filter(({ spec }) => spec.scaling.min > 0)
    .flatMap(({ spec: { name } }, n) => {
      const id = cluster.dataPlaneIds[n % cluster.dataPlaneIds.length];
      return id === undefined ? [] : [{ name, id }];
    });
  const before = cluster.promises.started.size;
  cluster.failOver(how, 50);
  const failed = failures(cluster, warm, 500);
  if (failed !== undefined) return `while the leader was ${how}: ${failed}`;
  const unsettled = settle(cluster);
  if (unsettled !== undefined) return unsettled;
  const now = names(truthOf(cluster).map(({ id }) => id));
  if (now !== fleet) return `R2: the leader was ${how}, and of [${fleet}] there are [${now}]`;
  const started = cluster.promises.started.size - before;
  return started === 0 ? undefined : `the leader was ${how} at rest, and ${started} sandboxes were started`;
}

function truthOf(cluster: Cluster): SandboxStatus[] {
  return cluster.liveWorkers().flatMap(({ core }) => [...core.sandboxes.values()]);
}

/** What keeps the cluster from being at rest and of one mind; undefined when it is. */
function unsettled(cluster: Cluster): string | undefined {
  const { leader, registry, registrar } = cluster;
  if (leader === undefined) return 'R6: there is no leader';
  if (!leader.brain.isReconciled) return 'R6: reconstruction is not closed';
  const open = cluster.requests.filter(({ outcome }) => outcome === undefined).length;
  if (open > 0) return `R6: ${open} requests have not ended`;
  if (registrar.open > 0) return `R6: ${registrar.open} registrations have not been answered`;
  return (
    isRegistered(cluster) ??
    isScaled(truthOf(cluster), registry.list()) ??
    isDrained(cluster) ??
    isSeenByLeader(cluster) ??
    isSeenByDataPlanes(cluster)
  );
}

/** R5. */
function isRegistered({ registry, registrar }: Cluster): string | undefined {
  const versions = new Map<string, string>(registry.list().map(({ spec }) => [spec.name, versionOf(spec)]));
  for (const name of FUNCTIONS) {
    const now = versions.get(name) ?? '';
    const possible = registrar.possible(name);
    if (!possible.has(now))
      return `R5: ${name} should be ${[...possible].map(tellVersion).join(' or ')}, and is ${tellVersion(now)}`;
  }
  return undefined;
}

const tellVersion = (version: string): string => (version === '' ? 'deleted' : `version ${version}`);

function isScaled(truth: readonly SandboxStatus[], functions: readonly FunctionRecord[]): string | undefined {
  const unready = truth.filter(({ state }) => state !== 'ready');
  if (unready.length > 0)
    return `R6: workers have ${unready.map(({ id, state }) => `${id} ${state}`).join(', ')}`;
  const isCurrent = (status: SandboxStatus): boolean =>
    functions.some(({ uid, generation }) => status.uid === uid && status.generation === generation);
  const surplus = truth.filter((status) => !isCurrent(status));
  if (surplus.length > 0)
    return `R6: workers still have ${surplus.map(({ id, uid, generation }) => `${id} of function ${uid}, generation ${generation}`).join(', ')}`;
  for (const { uid, generation, spec } of functions) {
    const ready = truth.filter((status) => status.uid === uid && status.generation === generation);
    if (ready.length !== spec.scaling.min)
      return `R6: ${spec.name} has ${ready.length} sandboxes of generation ${generation} and should have ${spec.scaling.min}`;
  }
  return undefined;
}

/** There is room: the first worker is never cordoned. */
function isDrained(cluster: Cluster): string | undefined {
  for (const { id, core } of cluster.liveWorkers())
    if (core.isDraining && core.sandboxes.size > 0)
      return `R6: ${id} is drained and has ${names([...core.sandboxes.keys()])}`;
  return undefined;
}

function isSeenByLeader(cluster: Cluster): string | undefined {
  const ids = names(truthOf(cluster).map(({ id }) => id));
  const rows = cluster.leader?.brain.sandboxes() ?? [];
  const table = names(rows.map(({ id, state }) => `${id}${state === 'ready' ? '' : ` ${state}`}`));
  return ids === table ? undefined : `R1: the workers have [${ids}], the leader has [${table}]`;
}

function isSeenByDataPlanes(cluster: Cluster): string | undefined {
  const ids = names(truthOf(cluster).map(({ id }) => id));
  for (const { id, table, specs } of cluster.liveDataPlanes()) {
    const held = names(table.endpoints().map(({ sandbox }) => sandbox));
    if (held !== ids) return `R1: the workers have [${ids}], ${id} has [${held}]`;
    if (table.unconfirmed > 0) return `R1: ${id} has ${table.unconfirmed} unconfirmed endpoints`;
    const known = names(specs.save().functions.map(describe));
    const registered = names(cluster.registry.list().map(describe));
    if (known !== registered) return `R5: registered are [${registered}], ${id} knows [${known}]`;
  }
  return undefined;
}

function names(list: readonly string[]): string {
  return [...list].sort().join(' ');
}

function describe({ spec, generation }: Pick<FunctionRecord, 'spec' | 'generation'>): string {
  return `${spec.name}/${generation}`;
}
