/**
 * Clients register, update, delete and read through every replica, while replicas are killed and their disks are wiped, damaged
 * and filled. What the clients saw must fit a registry that exists once; what was acknowledged must be there at the end.
 */
import { explain, isBatonError } from '../../src/lib/errors.ts';
import { History } from '../histories/history.ts';
import { lostRegistrations, type FinalRead } from '../histories/lost.ts';
import { checkHistory } from '../histories/verdicts.ts';
import { drawDiskFaults, Nemesis, planActs } from '../nemesis.ts';
import { Chronicle } from '../histories/chronicle.ts';
import { Observer } from '../observer.ts';
import type { Scenario, ScenarioResult, ScenarioWorld } from '../scenario.ts';
import { until } from '../until.ts';
import { judgeFences } from '../verifiers/fence.ts';
import { verdict, type Verdict } from '../verifiers/verdict.ts';
import { equalHashes } from '../views.ts';
import { MetadataWorkload, twelveClients } from '../workloads/metadata.ts';

const KILLS = 200;
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
    const { kills = KILLS } = options;
    const disks = options.disks ?? drawDiskFaults(kills, random.fork('disks'));
    const history = new History();
    const chronicle = new Chronicle();
    const observer = new Observer(stage, chronicle);
    const nemesis = new Nemesis(stage, chronicle, random.fork('nemesis'));
    const workload = await MetadataWorkload.prepare({
      history,
      replicas: stage.replicas,
      signal: stage.signal,
      leader: () => chronicle.leader.id,
      isUp: (id) => observer.up.has(id),
    });
    const tell = setInterval(() => {
      const struck = disks.map((kind) => `${kind} ${nemesis.count(kind)}`);
      world.progress(
        `kills ${nemesis.count('kill')}/${kills}  ${[...new Set(struck)].join('  ')}  leader ${chronicle.leader.id} of term ${chronicle.leader.term}  operations ${history.operations}  open ${workload.open}`,
      );
    }, PROGRESS_MS);

    let misconduct = '';
    try {
      observer.start();
      workload.start(twelveClients, random.fork('clients'));
      for (const act of planActs(kills, disks, random.fork('acts'))) await nemesis.carryOut(act);
      await until('enough operations', OPERATIONS_TIMEOUT_MS, stage.signal, () => {
        return history.operations >= kills * OPERATIONS_PER_KILL;
      });
      await stage.untilWhole(HEAL_TIMEOUT_MS);
    } catch (error) {
      if (isBatonError(error, 'canceled')) throw error;
      // What the clients saw until here is checked all the same.
      misconduct = explain(error);
      await heal(world);
    } finally {
      await workload.stop();
      await observer.stop();
      clearInterval(tell);
    }
    return judge(world, {
      kills,
      history,
      chronicle,
      observer,
      nemesis,
      workload,
      misconduct,
      planned: disks,
    });
  },
};

/** After a fault that went wrong: whatever is down is started, and nothing more is asked of it. */
async function heal({ stage }: ScenarioWorld): Promise<void> {
  for (const { id } of stage.replicas)
    if (stage.pid(id) === undefined) await stage.start(id).catch(() => undefined);
  await stage.untilWhole(HEAL_TIMEOUT_MS).catch(() => undefined);
}

interface Played {
  readonly kills: number;
  readonly history: History;
  readonly chronicle: Chronicle;
  readonly observer: Observer;
  readonly nemesis: Nemesis;
  readonly workload: MetadataWorkload;
  /** What went wrong under a fault; empty: nothing. */
  readonly misconduct: string;
  readonly planned: readonly string[];
}

async function judge(world: ScenarioWorld, played: Played): Promise<ScenarioResult> {
  const { stage, options } = world;
  const { kills, history, chronicle, observer, nemesis, workload, misconduct, planned } = played;
  const lost: string[] = [];
  const unread: string[] = [];
  for (const { id } of stage.replicas) {
    world.progress(`reading everything through ${id} …`);
    try {
      for (const [name, final] of await workload.readAll(id))
        lost.push(...lostRegistrations(name, history.of(name), final as FinalRead));
    } catch (error) {
      if (isBatonError(error, 'canceled')) throw error;
      unread.push(explain(error));
    }
  }
  const hash = await equalHashes(stage);
  world.progress(`checking ${history.operations} operations …`);
  const lin = checkHistory(history, `seed ${options.seed}`);
  const wrong = [misconduct, ...workload.failures, ...unread].filter((what) => what !== '');
  const faults: Record<string, number> = { kill: nemesis.count('kill') };
  for (const kind of ['wipe', 'flip', 'full-disk'] as const) faults[kind] = nemesis.count(kind);
  const { leaderChanges } = chronicle;
  const isVacuous = leaderChanges === 0 || nemesis.strikes.length < kills + planned.length;
  const verdicts: Record<string, Verdict> = {
    lin: {
      ok: lin.kind === 'linearizable',
      what:
        lin.kind === 'linearizable'
          ? `${lin.operations} operations on ${lin.functions} functions`
          : [
              ...lin.violations.map(({ what }) => what),
              ...lin.undecided.map((name) => `${name}: undecided`),
            ].join('; '),
    },
    lost: verdict([...new Set(lost)], 'nothing'),
    hash,
    fence: judgeFences(observer.fences),
    observed: verdict(observer.agreement.violations, 'one leader per term, one state per index'),
    conduct: verdict(wrong, 'as it must under every fault'),
    faults: {
      ok: !isVacuous,
      what: `${nemesis.strikes.length} of ${kills + planned.length} faults, ${leaderChanges} leader changes`,
    },
  };
  const latencyMs = {
    put: history.latencies('put'),
    delete: history.latencies('delete'),
    get: history.latencies('get'),
  };
  const failedCalls = Object.fromEntries(workload.failedCalls);
  return {
    leaderChanges,
    faults,
    verdicts,
    rows: nemesis.strikes,
    figures: {
      operations: history.operations,
      kills: nemesis.count('kill'),
      lostRegistrations: new Set(lost).size,
      unknownOutcomes: history.unknown,
      retriedOperations: workload.retried,
      /** Calls that brought no outcome, by error code. */
      failedCalls,
      /** Of answered operations, retries included. */
      latencyMs,
    },
    summary: [
      `${history.operations} operations, ${nemesis.count('kill')} kills; ${workload.retried} retried, ${history.unknown} of unknown outcome; calls without an outcome ${JSON.stringify(failedCalls)}`,
      ...Object.entries(latencyMs).map(([kind, { n, p50, p99, max }]) => {
        return `${kind}: ${n} in p50 ${p50}, p99 ${p99}, max ${max} ms, retries included`;
      }),
    ],
    timeline: chronicle.timeline(),
    pictures: new Map(lin.violations.map(({ name, svg }) => [name, svg])),
  };
}
