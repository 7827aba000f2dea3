/**
 * The leader is killed. Cold calls go on all the time, each to a function that has no sandbox; the survivors are asked over and over
 * who leads and what it holds. All moments are of the machine's one monotonic clock; those of this process are late by one poll at most.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { getJson } from '../../cluster/local/readiness.ts';
import { systemClock } from '../../src/adapters/system/clock.ts';
import { BatonError } from '../../src/lib/errors.ts';
import type { Bench } from '../lib/program.ts';
import { CpuMeter } from '../lib/machine.ts';
import { ColdCalls, placementStages, type PlacementStages } from './cold-calls.ts';
import type { Busy, Fleet } from './fleet.ts';
import { readMetrics, total } from './metrics.ts';
import { LongestWaits } from './waits.ts';

export interface FailoverFigures {
  /** Kill to a replica whose no-op is applied. */
  readonly newLeaderMs: number;
  /** From there to all sandboxes, confirmed by their workers under the new term. */
  readonly reconstructMs: number;
  /** CPU of each process meanwhile: on a full machine, what is waited for. */
  readonly reconstructCpuMs: Readonly<Record<Busy, number>>;
  /** From there to the first answer of a function that had no sandbox. */
  readonly firstPlacementMs: number;
  readonly firstPlacementStages: PlacementStages;
  /** The longest that each kept a small request waiting, from the kill until half a second after the win; `bench`: that its own loop stood still. */
  readonly longestWaitMs: Readonly<Record<'leader' | 'dataPlane' | 'bench', number>>;
  /** From there to the close of reconciliation. */
  readonly closedMs: number;
  readonly wrongKills: number;
  readonly wrongWithdrawals: number;
  readonly extraElections: number;
  readonly coldCalls: number;
  readonly coldFailures: number;
}

const IS_LEADER = 'baton_raft_is_leader';
const POLL_MS = 10;
/** Looking is work for the leader that is looked at: seldom while much is missing, often when it is nearly there. */
const COUNT_LEAST_MS = 25;
const countEveryMs = (missing: number): number => COUNT_LEAST_MS + 225 * missing;
const WATCHED_MS = 500;
const LIMIT_MS = 60_000;
/** After the close: what a sweep would do is done by then. */
const AFTERMATH_MS = 3_000;

interface Event {
  readonly term: number;
  readonly kind: string;
}

export async function killLeader(fleet: Fleet, bench: Bench): Promise<FailoverFigures> {
  const before = await fleet.replicas.leader();
  const withdrawnBefore = total(await fleet.dataPlaneMetrics(), 'baton_data_plane_withdrawals_total');
  const killedMs = systemClock.now();
  process.kill(fleet.pidOf(before.id), 'SIGKILL');
  const cold = new ColdCalls(fleet);
  bench.atEnd(() => cold.stop());
  const survivors = fleet.replicas.view.replicas.filter(({ id }) => id !== before.id);
  const https = survivors.map(({ http }) => http);
  const waits = new LongestWaits([fleet.dataPlaneUrl, ...https]);
  bench.atEnd(() => Promise.resolve(waits.stop()));
  const winner = await Promise.any(https.map((http) => untilMetric([http], IS_LEADER, 1)));
  const wonMs = systemClock.now();
  const cpu = new CpuMeter(fleet.pidsUnder(winner));
  bench.say(`leads again ${Math.round(wonMs - killedMs)} ms after the kill`);
  setTimeout(() => waits.stop(), WATCHED_MS).unref();
  // A winner that is deposed makes it worse, and is told: the next one is looked at.
  const beginningWith = (first: string): string[] => [first, ...https.filter((http) => http !== first)];
  const { sandboxes } = fleet.size;
  const holder = await untilMetric(beginningWith(winner), 'baton_sandboxes_ready', sandboxes, countEveryMs);
  const heldMs = systemClock.now();
  const reconstructCpuMs = cpu.total();
  bench.say(`holds all sandboxes ${Math.round(heldMs - wonMs)} ms after it won`);
  await untilMetric(beginningWith(holder), 'baton_reconciled', 1, () => COUNT_LEAST_MS);
  const closedMs = systemClock.now();
  await delay(AFTERMATH_MS);
  await cold.stop();
  const after = await fleet.replicas.leader();
  const { rows: events = [] } = (await getJson(`${holder}/v1/events`, undefined)) as { rows?: Event[] };
  const lost = events.filter(
    ({ term, kind }) =>
      term > before.term && ['sandbox-gone', 'swept', 'withdrawn', 'worker-dead'].includes(kind),
  );
  const first = cold.firstAnswerAfter(wonMs);
  return {
    newLeaderMs: Math.round(wonMs - killedMs),
    reconstructMs: Math.round(heldMs - wonMs),
    reconstructCpuMs,
    firstPlacementMs: Math.round(first.answeredMs - wonMs),
    firstPlacementStages: placementStages(fleet, before.term, wonMs, first),
    longestWaitMs: {
      leader: waits.of(winner),
      dataPlane: waits.of(fleet.dataPlaneUrl),
      bench: waits.ownMs,
    },
    closedMs: Math.round(closedMs - wonMs),
    wrongKills: lost.length,
    wrongWithdrawals:
      total(await fleet.dataPlaneMetrics(), 'baton_data_plane_withdrawals_total') - withdrawnBefore,
    extraElections: after.term - before.term - 1,
    coldCalls: cold.answered + cold.failed,
    coldFailures: cold.failed,
  };
}

/** Resolves with the address of the replica whose metric is there; the first leads, while it does. `everyMs` of the share that is missing. */
async function untilMetric(
  replicas: readonly string[],
  name: string,
  least: number,
  everyMs: (missing: number) => number = () => POLL_MS,
): Promise<string> {
  const deadlineMs = systemClock.now() + LIMIT_MS;
  const [first = '', ...others] = replicas;
  let looked = first;
  for (;;) {
    const metrics = await readMetrics(looked);
    const value = total(metrics, name);
    if (value >= least) return looked;
    if (systemClock.now() > deadlineMs)
      throw new BatonError('timeout', `${name} stays at ${value}, below ${least}`);
    await delay(everyMs(1 - value / least));
    if (others.length === 0 || total(metrics, IS_LEADER) === 1) continue;
    looked = replicas[(replicas.indexOf(looked) + 1) % replicas.length] ?? first;
  }
}
