/**
 * Clients register, update, delete and read through every replica, while replicas are killed and their disks are wiped, damaged
 * and filled. What the clients saw must fit a registry that exists once; what was acknowledged must be there at the end.
 */
import { explain, isBatonError } from '../../src/lib/errors.ts';
import { History } from '../histories/history.ts';
import { lostRegistrations, type FinalRead } from '../histories/lost.ts';
import { checkHistory } from '../histories/verdicts.ts';
import { drawDiskFaults, Nemesis, planActs } from '../nemesis.ts';
import { Observer } from '../observer.ts';
import type { Scenario, ScenarioResult, ScenarioWorld, Verdict } from '../scenario.ts';
import { until } from '../until.ts';
import { MetadataWorkload, twelveClients } from '../workloads/metadata.ts';

const OPERATIONS_PER_KILL = 100;
const OPERATIONS_TIMEOUT_MS = 180_000;
const HEAL_TIMEOUT_MS = 60_000;
const PROGRESS_MS = 1_000;

export const metadata: Scenario = {
  name: 'metadata',
  about: 'registrations under killed replicas and wiped, damaged and full disks',

  async play(world) {
    const { stage, options, random } = world;
    const { kills } = options;
    const disks = options.disks ?? drawDiskFaults(kills, random.fork('disks'));
    const history = new History();
    const observer = new Observer(stage);
    const nemesis = new Nemesis(stage, random.fork('nemesis'));
    const workload = await MetadataWorkload.prepare({
      history,
      replicas: stage.replicas,
      signal: stage.signal,
      leader: () => observer.leader.id,
      isUp: (id) => observer.up.has(id),
    });
    const tell = setInterval(() => {
      const struck = disks.map((kind) => `${kind} ${nemesis.count(kind)}`);
      world.progress(
        `kills ${nemesis.count('kill')}/${kills}  ${[...new Set(struck)].join('  ')}  leader ${observer.leader.id} of term ${observer.leader.term}  operations ${history.operations}  open ${workload.open}`,
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
    return judge(world, { history, observer, nemesis, workload, misconduct, planned: disks });
  },
};

/** After a fault that went wrong: whatever is down is started, and nothing more is asked of it. */
async function heal({ stage }: ScenarioWorld): Promise<void> {
  for (const { id } of stage.replicas)
    if (stage.pid(id) === undefined) await stage.start(id).catch(() => undefined);
  await stage.untilWhole(HEAL_TIMEOUT_MS).catch(() => undefined);
}

interface Played {
  readonly history: History;
  readonly observer: Observer;
  readonly nemesis: Nemesis;
  readonly workload: MetadataWorkload;
  /** What went wrong under a fault; empty: nothing. */
  readonly misconduct: string;
  readonly planned: readonly string[];
}

async function judge(world: ScenarioWorld, played: Played): Promise<ScenarioResult> {
  const { stage, options } = world;
  const { history, observer, nemesis, workload, misconduct, planned } = played;
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
  const hash = await equalHashes(world);
  world.progress(`checking ${history.operations} operations …`);
  const lin = checkHistory(history, `seed ${options.seed}`);
  const wrong = [misconduct, ...workload.failures, ...unread].filter((what) => what !== '');
  const faults: Record<string, number> = { kill: nemesis.count('kill') };
  for (const kind of ['wipe', 'flip', 'full-disk'] as const) faults[kind] = nemesis.count(kind);
  const isVacuous = observer.leaderChanges === 0 || nemesis.strikes.length < options.kills + planned.length;
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
    lost: { ok: lost.length === 0, what: [...new Set(lost)].slice(0, 5).join('; ') || 'nothing' },
    hash,
    observed: {
      ok: observer.violations.length === 0,
      what: observer.violations.slice(0, 5).join('; ') || 'one leader per term, one state per index',
    },
    conduct: {
      ok: wrong.length === 0,
      what: wrong.join('; ') || 'as it must under every fault',
    },
    faults: {
      ok: !isVacuous,
      what: `${nemesis.strikes.length} of ${options.kills + planned.length} faults, ${observer.leaderChanges} leader changes`,
    },
  };
  return {
    operations: history.operations,
    kills: nemesis.count('kill'),
    leaderChanges: observer.leaderChanges,
    faults,
    verdicts,
    lostRegistrations: new Set(lost).size,
    unknownOutcomes: history.unknown,
    retriedOperations: workload.retried,
    failedCalls: Object.fromEntries(workload.failedCalls),
    latencyMs: {
      put: history.latencies('put'),
      delete: history.latencies('delete'),
      get: history.latencies('get'),
    },
    rows: nemesis.strikes,
    pictures: new Map(lin.violations.map(({ name, svg }) => [name, svg])),
  };
}

/** HASH: once nothing is asked any more, all replicas have applied the same index and hold the same state. */
async function equalHashes({ stage }: ScenarioWorld): Promise<Verdict> {
  let seen: string[] = [];
  try {
    const index = await until('one applied index', HEAL_TIMEOUT_MS, stage.signal, async () => {
      const all = await Promise.all(stage.replicas.map(({ id }) => stage.status(id)));
      seen = all.map((status) =>
        status === undefined ? '-' : `${status.id} ${status.appliedIndex} ${status.stateHash}`,
      );
      const indexes = new Set(all.map((status) => status?.appliedIndex));
      return indexes.size === 1 && all[0]?.appliedIndex;
    });
    const hashes = new Set(seen.map((line) => line.split(' ')[2]));
    const ok = hashes.size === 1;
    return { ok, what: ok ? `${[...hashes][0]} on all at index ${index}` : seen.join(', ') };
  } catch (error) {
    if (isBatonError(error, 'canceled')) throw error;
    return { ok: false, what: `${explain(error)}: ${seen.join(', ')}` };
  }
}
