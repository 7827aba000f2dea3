/**
 * The leader is killed. Cold calls go on all the time, each to a function that has no sandbox; the survivors are asked over and over
 * who leads and what it holds. All moments are of this process's one monotonic clock, so each is late by one poll at most.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { call } from '../../cluster/demo/load.ts';
import { getJson } from '../../cluster/local/readiness.ts';
import { BatonError } from '../../src/lib/errors.ts';
import type { Bench } from '../lib/program.ts';
import { CpuMeter } from '../lib/machine.ts';
import { coldFunction, COLD_FUNCTIONS, type Busy, type Fleet } from './fleet.ts';
import { readMetrics, total } from './metrics.ts';

export interface FailoverFigures {
  /** Kill to a replica whose no-op is applied. */
  readonly newLeaderMs: number;
  /** From there to all sandboxes, confirmed by their workers under the new term. */
  readonly reconstructMs: number;
  /** CPU of each process meanwhile: on a full machine, what is waited for. */
  readonly reconstructCpuMs: Readonly<Record<Busy, number>>;
  /** From there to the first answer of a function that had no sandbox. */
  readonly firstPlacementMs: number;
  /** From there to the close of reconciliation. */
  readonly closedMs: number;
  readonly wrongKills: number;
  readonly wrongWithdrawals: number;
  readonly extraElections: number;
  readonly coldCalls: number;
  readonly coldFailures: number;
}

const POLL_MS = 10;
/** Looking is work for the leader that is looked at: seldom while much is missing, often when it is nearly there. */
const COUNT_LEAST_MS = 25;
const countEveryMs = (missing: number): number => COUNT_LEAST_MS + 225 * missing;
const COLD_EVERY_MS = 25;
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
  const killedMs = performance.now();
  process.kill(fleet.pidOf(before.id), 'SIGKILL');
  const cold = new ColdCalls(fleet);
  bench.atEnd(() => cold.stop());
  const survivors = fleet.replicas.view.replicas.filter(({ id }) => id !== before.id);
  const winner = await Promise.any(survivors.map(({ http }) => untilMetric(http, 'baton_raft_is_leader', 1)));
  const wonMs = performance.now();
  const cpu = new CpuMeter(fleet.pidsUnder(winner));
  bench.say(`leads again ${Math.round(wonMs - killedMs)} ms after the kill`);
  await untilMetric(winner, 'baton_sandboxes_ready', fleet.size.sandboxes, countEveryMs);
  const heldMs = performance.now();
  const reconstructCpuMs = cpu.total();
  bench.say(`holds all sandboxes ${Math.round(heldMs - wonMs)} ms after it won`);
  await untilMetric(winner, 'baton_reconciled', 1, () => COUNT_LEAST_MS);
  const closedMs = performance.now();
  await delay(AFTERMATH_MS);
  await cold.stop();
  const after = await fleet.replicas.leader();
  const { rows: events = [] } = (await getJson(`${winner}/v1/events`, undefined)) as { rows?: Event[] };
  const lost = events.filter(
    ({ term, kind }) =>
      term > before.term && ['sandbox-gone', 'swept', 'withdrawn', 'worker-dead'].includes(kind),
  );
  return {
    newLeaderMs: Math.round(wonMs - killedMs),
    reconstructMs: Math.round(heldMs - wonMs),
    reconstructCpuMs,
    firstPlacementMs: Math.round(cold.firstAnswerAfter(wonMs) - wonMs),
    closedMs: Math.round(closedMs - wonMs),
    wrongKills: lost.length,
    wrongWithdrawals:
      total(await fleet.dataPlaneMetrics(), 'baton_data_plane_withdrawals_total') - withdrawnBefore,
    extraElections: after.term - before.term - 1,
    coldCalls: cold.answered + cold.failed,
    coldFailures: cold.failed,
  };
}

/** Resolves with the address of the replica whose metric is there; `everyMs` of the share that is missing. */
async function untilMetric(
  http: string,
  name: string,
  least: number,
  everyMs: (missing: number) => number = () => POLL_MS,
): Promise<string> {
  const deadlineMs = performance.now() + LIMIT_MS;
  for (;;) {
    const value = total(await readMetrics(http), name);
    if (value >= least) return http;
    if (performance.now() > deadlineMs)
      throw new BatonError('timeout', `${name} stays at ${value}, below ${least}`);
    await delay(everyMs(1 - value / least));
  }
}

/** One each 25 ms, to the next function. */
class ColdCalls {
  answered = 0;
  failed = 0;
  readonly #answersMs: number[] = [];
  readonly #under: Promise<void>[] = [];
  readonly #timer: NodeJS.Timeout;
  #next = 0;

  constructor(fleet: Fleet) {
    this.#timer = setInterval(() => {
      if (this.#next >= COLD_FUNCTIONS) return;
      this.#under.push(this.#call(`${fleet.dataPlaneUrl}/function/${coldFunction(this.#next++)}`));
    }, COLD_EVERY_MS);
  }

  async #call(url: string): Promise<void> {
    const status = await call(url).then(
      (answer) => answer.status,
      () => 0,
    );
    if (status !== 200) {
      this.failed++;
      return;
    }
    this.answered++;
    this.#answersMs.push(performance.now());
  }

  /** @throws BatonError where there was none */
  firstAnswerAfter(momentMs: number): number {
    const first = this.#answersMs.filter((ms) => ms >= momentMs).toSorted((a, b) => a - b)[0];
    if (first === undefined) throw new BatonError('unavailable', 'no cold call was answered');
    return first;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#under);
  }
}
