/** One run: boot, a safety phase under faults, a liveness phase after them. */
import { ARTIFACT, Clients } from './clients.ts';
import { Nemesis } from './nemesis.ts';
import { drawOptions, type SimOptions } from './options.ts';
import { Oracles } from './oracles.ts';
import { World } from './world.ts';

export interface SimResult {
  readonly options: SimOptions;
  readonly ok: boolean;
  readonly violations: readonly string[];
  readonly traceHash: string;
  readonly messages: number;
  readonly virtualMs: number;
  readonly leaderChanges: number;
  readonly leaderCrashes: number;
  readonly faults: number;
  readonly registrations: number;
  readonly calls: { readonly sent: number; readonly ok: number; readonly failed: number };
  /** From the end of the faults until everything had settled. */
  readonly settledMs: number;
  /** The last lines of the story. */
  readonly story: readonly string[];
}

const BOOT_MS = 10_000;
const SETTLE_MS = 45_000;
const SAMPLE_MS = 25;

export async function simulate(seed: number, options: SimOptions = drawOptions(seed)): Promise<SimResult> {
  const world = new World(options);
  const oracles = new Oracles(world);
  const nemesis = new Nemesis(world);
  const clients = new Clients(world);
  world.bootstrap();
  for (const { disk } of world.replicas)
    disk.artifacts.set(ARTIFACT, { digest: ARTIFACT, bytes: 1, touchedMs: Number.MAX_SAFE_INTEGER });
  for (const replica of world.replicas) world.startReplica(replica);
  for (const worker of world.workers) world.startWorker(worker);
  for (const plane of world.planes) world.startPlane(plane);

  const sample = (): void => {
    oracles.sample();
    world.scheduler.after(SAMPLE_MS, sample);
  };
  sample();
  const isBroken = (): boolean => world.violations.length > 0;

  const booted = await world.scheduler.runUntil(BOOT_MS, () => isBroken() || world.leader() !== undefined);
  if (!booted) world.violation(`no leader ${BOOT_MS} ms after the start`);
  clients.start();
  nemesis.start();
  await world.scheduler.runUntil(world.nowMs + options.faultyMs, isBroken);
  // One more for certain, so that no run is without what it is for.
  for (let i = 0; i < 40 && nemesis.leaderCrashes === 0 && !isBroken(); i++) {
    nemesis.inject('crash-leader');
    await world.scheduler.runUntil(world.nowMs + 500, isBroken);
  }

  nemesis.running = false;
  const endedMs = world.nowMs;
  world.tell('the faults end');
  await world.scheduler.runUntil(world.nowMs + 2_600, isBroken);
  world.network.heal();
  for (const replica of world.replicas) world.startReplica(replica);
  for (const worker of world.workers) world.startWorker(worker);
  for (const plane of world.planes) world.startPlane(plane);
  await world.scheduler.runUntil(world.nowMs + 1_000, isBroken);
  clients.running = false;
  const settledMs = await settle(world, oracles, endedMs);
  if (!isBroken()) await lastWord(world, clients);
  checkVacuity(world, oracles, nemesis);
  return {
    options,
    ok: world.violations.length === 0,
    violations: world.violations,
    traceHash: world.trace.hash,
    messages: world.trace.events,
    virtualMs: Math.round(world.nowMs),
    leaderChanges: oracles.leaderChanges,
    leaderCrashes: nemesis.leaderCrashes,
    faults: nemesis.injected,
    registrations: clients.functions.reduce((sum, { acknowledged }) => sum + acknowledged, 0),
    calls: clients.calls,
    settledMs,
    story: world.trace.lines,
  };
}

/** R6 and R1: once faults stop, everything agrees within a bounded time. */
async function settle(world: World, oracles: Oracles, endedMs: number): Promise<number> {
  let quietSinceMs: number | undefined;
  const isSettled = (): boolean => {
    if (world.violations.length > 0) return true;
    if (oracles.unsettled() !== undefined) {
      quietSinceMs = undefined;
      return false;
    }
    quietSinceMs ??= world.nowMs;
    return world.nowMs - quietSinceMs > 500;
  };
  const deadlineMs = world.nowMs + SETTLE_MS;
  // Looked at every few milliseconds: the question costs more than an event.
  while (world.nowMs < deadlineMs && !isSettled()) await world.scheduler.runUntil(world.nowMs + 50);
  const missing = oracles.unsettled();
  if (world.violations.length === 0 && missing !== undefined)
    world.violation(`not settled ${SETTLE_MS} ms after the faults: ${missing}`);
  return Math.round(world.nowMs - endedMs);
}

/** R5 and R6: what was acknowledged is there, in its last version, and answers through every data plane. */
async function lastWord(world: World, clients: Clients): Promise<void> {
  const leader = world.leader()?.controlPlane;
  let records: Awaited<ReturnType<NonNullable<typeof leader>['functions']>> | undefined;
  leader?.functions().then(
    (list) => {
      records = list;
      return undefined;
    },
    () => undefined,
  );
  await world.scheduler.runUntil(world.nowMs + 2_000, () => records !== undefined);
  for (const fn of clients.functions) {
    const record = records?.find(({ spec }) => spec.name === fn.name);
    const version = Number(record?.spec.env.find(({ name }) => name === 'VERSION')?.value ?? 0);
    if (version < fn.acknowledged)
      world.violation(`R5: ${fn.name} is at version ${version}, ${fn.acknowledged} was acknowledged`);
    if (version > fn.attempted)
      world.violation(`R5: ${fn.name} is at version ${version}, which nobody registered`);
    if (fn.acknowledged === 0) continue;
    for (const plane of world.planes) {
      let answered: boolean | undefined;
      void clients.call(fn, plane).then((ok) => (answered = ok));
      await world.scheduler.runUntil(world.nowMs + 20_000, () => answered !== undefined);
      if (answered !== true)
        world.violation(`R6: ${fn.name} is not served through ${plane.id} after the faults`);
    }
  }
}

function checkVacuity(world: World, oracles: Oracles, nemesis: Nemesis): void {
  if (world.violations.length > 0) return;
  if (nemesis.leaderCrashes === 0) world.violation('vacuous: no leader was killed');
  if (oracles.leaderChanges < 1) world.violation('vacuous: leadership never changed');
}
