/**
 * Clients register, update, delete and read through every replica, while replicas are killed and their disks are wiped, damaged
 * and filled. What the clients saw must fit a registry that exists once; what was acknowledged must be there at the end.
 */
import { explain, isBatonError } from '../../src/lib/errors.ts';
import type { Prng } from '../../src/lib/prng.ts';
import { drawDiskFaults, Nemesis, planActs, type DiskFault } from '../nemesis.ts';
import { Chronicle } from '../histories/chronicle.ts';
import { Observer } from '../observer.ts';
import type { Scenario, ScenarioOptions, ScenarioResult, ScenarioWorld } from '../scenario.ts';
import { until } from '../until.ts';
import { judgeFences } from '../verifiers/fence.ts';
import { verdict, type Verdict } from '../verifiers/verdict.ts';
import { equalHashes } from '../views.ts';
import { RegistryClients } from '../workloads/registry.ts';

const KILLS = 200;
const SHORT_KILLS = 4;
const SHORT_DISKS = 1;
const LEAST_KILL_MS = 1_000;
const CLIENTS = 12;
const OPERATIONS_PER_KILL = 100;
/**
 * A leader answers an update or a delete only when the lease of its predecessor's data planes ran out. With a kill each two
 * seconds and the default of three, most of the history would be waiting; nothing that is replicated depends on it.
 */
const LEASE_MS = 600;
const OPERATIONS_TIMEOUT_MS = 180_000;
const HEAL_TIMEOUT_MS = 60_000;
const PROGRESS_MS = 1_000;

export const metadata: Scenario = {
  name: 'metadata',
  about: 'registrations under killed replicas and wiped, damaged and full disks',
  plan: { dataPlanes: 1, workers: 0, leaseMs: LEASE_MS },

  async play(world) {
    const { stage, options, random } = world;
    const kills = killsOf(options);
    const disks = disksOf(options, kills, random.fork('disks'));
    const chronicle = new Chronicle();
    const observer = new Observer(stage, chronicle);
    const nemesis = new Nemesis(stage, chronicle, random.fork('nemesis'));
    const clients = await RegistryClients.prepare(stage, observer, chronicle);
    const { history } = clients;
    const tell = setInterval(() => {
      const struck = disks.map((kind) => `${kind} ${nemesis.count(kind)}`);
      world.progress(
        `kills ${nemesis.count('kill')}/${kills}  ${[...new Set(struck)].join('  ')}  leader ${chronicle.leader.id} of term ${chronicle.leader.term}  operations ${history.operations}  open ${clients.open}`,
      );
    }, PROGRESS_MS);

    let misconduct: string | undefined;
    try {
      observer.start();
      clients.start(CLIENTS, random.fork('clients'));
      const endMs = chronicle.now() + (options.faultsMs ?? Number.POSITIVE_INFINITY);
      for (const act of planActs(kills, disks, random.fork('acts'))) {
        if (nemesis.strikes.length > 0 && chronicle.now() > endMs) break;
        await nemesis.carryOut(act);
      }
      await until('enough operations', OPERATIONS_TIMEOUT_MS, stage.signal, () => {
        return history.operations >= nemesis.count('kill') * OPERATIONS_PER_KILL;
      });
      await stage.untilWhole(HEAL_TIMEOUT_MS);
    } catch (error) {
      if (isBatonError(error, 'canceled')) throw error;
      // What the clients saw until here is checked all the same.
      misconduct = explain(error);
      await heal(world);
    } finally {
      await clients.stop();
      await observer.stop();
      clearInterval(tell);
    }
    const due = options.faultsMs === undefined ? kills + disks.length : 1;
    return judge(world, { chronicle, observer, nemesis, clients, misconduct, due });
  },
};

/** By time: more than there will be time for. */
function killsOf({ count, faultsMs, isShort = false }: ScenarioOptions): number {
  if (faultsMs !== undefined) return Math.ceil(faultsMs / LEAST_KILL_MS);
  return count ?? (isShort ? SHORT_KILLS : KILLS);
}

/** Of many short runs each has one of them, as its seed draws it. */
function disksOf(
  { disks, isShort = false }: ScenarioOptions,
  kills: number,
  random: Prng,
): readonly DiskFault[] {
  const drawn = disks ?? drawDiskFaults(kills, random);
  return isShort ? drawn.slice(0, SHORT_DISKS) : drawn;
}

/** After a fault that went wrong: whatever is down is started, and nothing more is asked of it. */
async function heal({ stage }: ScenarioWorld): Promise<void> {
  for (const { id } of stage.replicas)
    if (stage.pid(id) === undefined) await stage.start(id).catch(() => undefined);
  await stage.untilWhole(HEAL_TIMEOUT_MS).catch(() => undefined);
}

interface Played {
  readonly chronicle: Chronicle;
  readonly observer: Observer;
  readonly nemesis: Nemesis;
  readonly clients: RegistryClients;
  /** What went wrong under a fault. */
  readonly misconduct: string | undefined;
  /** Faults that were planned. */
  readonly due: number;
}

/** Of operations, where there are no requests. */
function enterOperations({ chronicle, clients: { history } }: Played): void {
  const sinceMs = chronicle.now() - history.now();
  for (const [, operations] of history.entries())
    for (const { callMs, returnMs } of operations)
      if (Number.isFinite(returnMs)) chronicle.ended(sinceMs + returnMs, true, returnMs - callMs);
}

async function judge(world: ScenarioWorld, played: Played): Promise<ScenarioResult> {
  const { chronicle, observer, nemesis, clients, misconduct, due } = played;
  enterOperations(played);
  const { wrong, verdicts: registry } = await clients.judge(`seed ${world.options.seed}`, (line) =>
    world.progress(line),
  );
  const hash = await equalHashes(world.stage);
  const faults: Record<string, number> = { kill: nemesis.count('kill') };
  for (const kind of ['wipe', 'flip', 'full-disk'] as const) faults[kind] = nemesis.count(kind);
  const { leaderChanges } = chronicle;
  const injected = nemesis.strikes.length;
  const verdicts: Record<string, Verdict> = {
    lin: registry.lin,
    lost: registry.lost,
    hash,
    fence: judgeFences(observer.fences),
    observed: verdict(observer.agreement.violations, 'one leader per term, one state per index'),
    conduct: verdict(
      misconduct === undefined ? wrong : [misconduct, ...wrong],
      'as it must under every fault',
    ),
    faults: {
      ok: leaderChanges > 0 && injected >= due,
      what: `${injected} of ${due} faults, ${leaderChanges} leader changes`,
    },
  };
  const { failedCalls, operations, retriedOperations, unknownOutcomes, operationMs } = clients.figures();
  return {
    leaderChanges,
    faults,
    verdicts,
    steps: nemesis.strikes,
    figures: {
      operations,
      kills: nemesis.count('kill'),
      lostRegistrations: registry.lostRegistrations,
      unknownOutcomes,
      retriedOperations,
      failedCalls,
      latencyMs: operationMs,
    },
    summary: [
      `${operations} operations, ${nemesis.count('kill')} kills; ${retriedOperations} retried, ${unknownOutcomes} of unknown outcome; calls without an outcome ${JSON.stringify(failedCalls)}`,
      ...Object.entries(operationMs).map(([kind, { n, p50, p99, max }]) => {
        return `${kind}: ${n} in p50 ${p50}, p99 ${p99}, max ${max} ms, retries included`;
      }),
    ],
    timeline: chronicle.timeline(),
    pictures: registry.pictures,
  };
}
