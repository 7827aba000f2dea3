/** One run: boot, a safety phase under faults, a liveness phase in which a majority alone is healed, then everything. */
import { explain } from '../../src/lib/errors.ts';
import { ARTIFACT, Clients } from './clients.ts';
import { Nemesis } from './nemesis.ts';
import { drawOptions, type FaultKind, type SimOptions } from './options.ts';
import { Oracles } from './oracles.ts';
import { Registrars } from './registrars.ts';
import { shuffled } from './shuffled.ts';
import { World, type SimReplica } from './world.ts';

export interface SimResult {
  readonly options: SimOptions;
  readonly ok: boolean;
  readonly violations: readonly string[];
  readonly traceHash: string;
  readonly messages: number;
  readonly events: number;
  readonly virtualMs: number;
  readonly leaderChanges: number;
  readonly leaderCrashes: number;
  readonly faultsByKind: Readonly<Partial<Record<FaultKind, number>>>;
  readonly registrations: number;
  /** Operations whose history was checked for linearizability. */
  readonly operations: number;
  readonly calls: { readonly sent: number; readonly ok: number; readonly failed: number };
  /** From the end of the faults until everything had settled. */
  readonly settledMs: number;
  /** The last lines of the story. */
  readonly story: readonly string[];
  /** Of histories that no single copy fits, by name. */
  readonly pictures: ReadonlyMap<string, string>;
}

const BOOT_MS = 10_000;
const MAJORITY_MS = 20_000;
const SETTLE_MS = 45_000;
/** Every fault of a replica that the nemesis started has ended by then. */
const AFTERMATH_MS = 2_600;

/** What is thrown out of the cluster, or of the simulator, is a violation of this seed. */
export async function simulate(seed: number, options: SimOptions = drawOptions(seed)): Promise<SimResult> {
  const world = new World(options);
  const oracles = new Oracles(world);
  const nemesis = new Nemesis(world);
  const clients = new Clients(world);
  const registrars = new Registrars(world);
  const onThrown = (error: unknown): void => {
    const { name } = error instanceof Error ? error : { name: typeof error };
    world.violation(`the run ended: ${name}: ${explain(error)}`);
  };
  let played: Played = { settledMs: 0, pictures: new Map() };
  process.on('unhandledRejection', onThrown);
  try {
    played = await play(world, oracles, nemesis, clients, registrars);
  } catch (error) {
    onThrown(error);
  } finally {
    // A promise that was rejected in the last turn is reported after it.
    await new Promise((resolve) => void setImmediate(resolve));
    process.off('unhandledRejection', onThrown);
  }
  return {
    options,
    ok: world.violations.length === 0,
    violations: world.violations,
    traceHash: world.trace.end(),
    messages: world.trace.messages,
    events: world.scheduler.executed,
    virtualMs: Math.round(world.nowMs),
    leaderChanges: oracles.leaderChanges,
    leaderCrashes: nemesis.leaderCrashes,
    faultsByKind: Object.fromEntries(nemesis.faultsByKind),
    registrations: clients.functions.reduce((sum, { acknowledged }) => sum + acknowledged, 0),
    operations: registrars.operations,
    calls: clients.calls,
    story: world.trace.lines,
    ...played,
  };
}

type Played = Pick<SimResult, 'settledMs' | 'pictures'>;

async function play(
  world: World,
  oracles: Oracles,
  nemesis: Nemesis,
  clients: Clients,
  registrars: Registrars,
): Promise<Played> {
  const isBroken = (): boolean => world.violations.length > 0;
  await boot(world);
  const hasLeader = await world.scheduler.runUntil(BOOT_MS, () => isBroken() || world.leader() !== undefined);
  if (!hasLeader) world.violation(`no leader ${BOOT_MS} ms after the start`);

  clients.start();
  registrars.start();
  nemesis.start(world.options.schedule);
  await world.scheduler.runUntil(world.nowMs + world.options.faultyMs, isBroken);
  await demandLeaderCrash(world, nemesis);
  nemesis.running = false;
  const endedMs = world.nowMs;
  const up = await healMajority(world, isBroken);
  if (up.length < world.replicas.length && !isBroken()) await demandService(world, oracles, clients, up);
  await healAll(world, isBroken);
  clients.running = false;
  registrars.stop();
  const settledMs = await settle(world, oracles, endedMs);
  if (!isBroken()) await lastWord(world, clients);
  for (const breach of clients.ledger.breaches) world.violation(`LEDGER: ${breach}`);
  // A run that broke ended in the midst of operations.
  const pictures = isBroken() ? new Map<string, string>() : registrars.check();
  checkVacuity(world, oracles, nemesis, registrars.operations);
  return { settledMs, pictures };
}

async function boot(world: World): Promise<void> {
  await world.bootstrap();
  const artifact = { digest: ARTIFACT, bytes: 1 };
  for (const { disk } of world.replicas) disk.artifacts.set(ARTIFACT, artifact);
  for (const replica of world.replicas) world.startReplica(replica);
  for (const worker of world.workers) world.startWorker(worker);
  for (const plane of world.planes) world.startPlane(plane);
}

/** One for certain, so that no run is without what it is for. */
async function demandLeaderCrash(world: World, nemesis: Nemesis): Promise<void> {
  for (let i = 0; i < 40 && nemesis.leaderCrashes === 0 && world.violations.length === 0; i++) {
    nemesis.inject({ kind: 'crash-leader', salt: i });
    await world.scheduler.runUntil(world.nowMs + 500, () => world.violations.length > 0);
  }
}

/** Liveness needs no more than a majority: the rest stays down, and a leader must come. @returns who is up */
async function healMajority(world: World, isBroken: () => boolean): Promise<readonly SimReplica[]> {
  world.tell('the faults end; a majority is healed');
  const voters = shuffled(
    world.replicas.filter(({ disk }) => disk.log.identity?.voter === true && !disk.isRotten),
    world.random.fork('majority'),
  );
  const needed = Math.floor(world.replicas.length / 2) + 1;
  const kept = voters.slice(0, needed);
  const down = kept.length < needed ? [] : world.replicas.filter((replica) => !kept.includes(replica));
  world.holdDown(down.map(({ id }) => id));
  for (const replica of down) replica.process?.kill();
  await world.scheduler.runUntil(world.nowMs + AFTERMATH_MS, isBroken);
  world.network.heal();
  for (const { process } of [...world.replicas, ...world.workers, ...world.planes]) process?.resume();
  const up = world.replicas.filter((replica) => !down.includes(replica));
  for (const replica of up) {
    replica.disk.drive.mend();
    world.startReplica(replica);
  }
  for (const worker of world.workers) world.startWorker(worker);
  for (const plane of world.planes) world.startPlane(plane);
  const leads = await world.scheduler.runUntil(
    world.nowMs + MAJORITY_MS,
    () => isBroken() || world.leader() !== undefined,
  );
  if (!leads) world.violation(`R6: no leader ${MAJORITY_MS} ms after a majority was healed`);
  await world.scheduler.runUntil(world.nowMs + 500, isBroken);
  return up;
}

/** While the rest is down: something new commits for each function, every data plane serves it, and those who are up agree. */
async function demandService(
  world: World,
  oracles: Oracles,
  clients: Clients,
  up: readonly SimReplica[],
): Promise<void> {
  const { functions } = clients;
  const before = functions.map(({ acknowledged }) => acknowledged);
  const demand = async (what: string, isSo: () => boolean): Promise<void> => {
    const isOver = (): boolean => world.violations.length > 0 || isSo();
    while (world.nowMs < deadlineMs && !isOver()) await world.scheduler.runUntil(world.nowMs + 50);
    if (!isOver()) world.violation(`R6: ${what} ${MAJORITY_MS} ms after a majority led`);
  };
  const deadlineMs = world.nowMs + MAJORITY_MS;
  await demand('nothing new is committed', () =>
    functions.every(({ acknowledged }, i) => acknowledged > (before[i] ?? 0)),
  );
  await demandAnswers(world, clients, 'with a majority alone');
  await demand('the majority has not settled', () => oracles.unsettled(up) === undefined);
}

async function healAll(world: World, isBroken: () => boolean): Promise<void> {
  world.tell('everything is healed');
  world.holdDown([]);
  for (const replica of world.replicas) {
    replica.disk.drive.mend();
    world.startReplica(replica);
  }
  await world.scheduler.runUntil(world.nowMs + 1_000, isBroken);
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
  }
  await demandAnswers(world, clients, 'after the faults');
}

async function demandAnswers(world: World, clients: Clients, when: string): Promise<void> {
  for (const fn of clients.functions) {
    if (fn.acknowledged === 0) continue;
    for (const plane of world.planes) {
      let answered: boolean | undefined;
      void clients.call(fn, plane).then((ok) => (answered = ok));
      await world.scheduler.runUntil(world.nowMs + 20_000, () => answered !== undefined);
      if (answered !== true) world.violation(`R6: ${fn.name} is not served through ${plane.id} ${when}`);
    }
  }
}

/** What a long run must at least have been through to count. */
const LONG = { virtualMs: 300_000, faults: 50, leaderChanges: 3, operations: 300 };

function checkVacuity(world: World, oracles: Oracles, nemesis: Nemesis, operations: number): void {
  if (world.violations.length > 0) return;
  if (nemesis.leaderCrashes === 0) world.violation('vacuous: no leader was killed');
  if (oracles.leaderChanges < 1) world.violation('vacuous: leadership never changed');
  if (world.options.faultyMs < LONG.virtualMs) return;
  const had = {
    virtualMs: world.nowMs,
    faults: nemesis.injected,
    leaderChanges: oracles.leaderChanges,
    operations,
  };
  for (const what of Object.keys(LONG) as (keyof typeof LONG)[])
    if (had[what] < LONG[what])
      world.violation(`vacuous: ${what} is ${Math.round(had[what])}, a long run has ${LONG[what]} at least`);
}
