/** The end of a scenario under traffic: the same questions for all, and what they are answered. */
import { explain, isBatonError } from '../src/lib/errors.ts';
import type { Play } from './play.ts';
import type { ScenarioResult } from './scenario.ts';
import { until } from './until.ts';
import { judgeFences } from './verifiers/fence.ts';
import { judgeLedger, type Failure } from './verifiers/ledger.ts';
import { excess } from './verifiers/resources.ts';
import { verdict, type Verdict } from './verifiers/verdict.ts';
import { equalHashes } from './views.ts';
import type { RegistryVerdicts } from './workloads/registry.ts';

const SETTLE_TIMEOUT_MS = 60_000;
const ENDED_TIMEOUT_MS = 60_000;
const RESOURCES_TIMEOUT_MS = 60_000;

export interface PlayEnd {
  /** As many faults as were planned, and leader changes as they must bring: less is vacuous. */
  readonly faults: number;
  readonly leaderChanges: number;
  /** @see ScenarioResult */
  readonly steps?: readonly object[];
  readonly verdicts?: Readonly<Record<string, Verdict>>;
  readonly figures?: Readonly<Record<string, unknown>> | undefined;
  /** Failures that the faults must cause. */
  readonly isExcused?: (failure: Failure) => boolean;
}

/** Stops everything that the play began, also when it throws. */
export async function judge(play: Play, end: PlayEnd): Promise<ScenarioResult> {
  try {
    const verdicts = await ask(play, end);
    return result(play, end, verdicts);
  } finally {
    await play.stop();
  }
}

interface Answers {
  readonly verdicts: Readonly<Record<string, Verdict>>;
  readonly registry: RegistryVerdicts | undefined;
}

async function ask(play: Play, end: PlayEnd): Promise<Answers> {
  const { stage, chronicle, ledger, observer, misconduct } = play;
  play.say('are all of one mind?');
  play.trickle?.stop();
  const conv = await answer(() => play.untilSettled(SETTLE_TIMEOUT_MS), 'desired = placed = every view');
  play.warm.stop();
  play.say('waiting for the last requests');
  await play.clients?.stop();
  // What never ends is the ledger's to tell.
  await answer(() => until('the last request', ENDED_TIMEOUT_MS, stage.signal, () => ledger.open === 0), '');
  await play.caller.close();
  const registry = await play.clients?.judge(`seed ${play.world.options.seed}`, (line) => play.say(line));
  const hash = await equalHashes(stage);
  play.say('is everything given back?');
  const res = await resources(play);
  await play.stop();
  const wrong = [...misconduct, ...(registry?.wrong ?? [])];
  const { lin, lost } = registry?.verdicts ?? {};
  const verdicts: Record<string, Verdict> = {
    ledger: judgeLedger(ledger, end.isExcused),
    ...end.verdicts,
    ...(lin === undefined || lost === undefined ? {} : { lin, lost }),
    conv,
    res,
    hash,
    fence: judgeFences(observer.fences),
    observed: verdict(observer.agreement.violations, 'one leader per term, one state per index'),
    conduct: verdict(wrong, 'as it must under every fault'),
    faults: injected(chronicle.faults.length, chronicle.leaderChanges, end),
  };
  return { verdicts, registry: registry?.verdicts };
}

/** Without the faults that it is about, a run shows nothing. */
function injected(faults: number, changes: number, due: PlayEnd): Verdict {
  const wrong = [
    ...(faults < due.faults ? [`${faults} of ${due.faults} faults`] : []),
    ...(changes < due.leaderChanges ? [`${changes} leader changes, ${due.leaderChanges} are due`] : []),
  ];
  return verdict(wrong, `${faults} faults, ${changes} leader changes`);
}

async function answer(check: () => Promise<unknown>, right: string): Promise<Verdict> {
  try {
    await check();
    return { ok: true, what: right };
  } catch (error) {
    if (isBatonError(error, 'canceled')) throw error;
    return { ok: false, what: explain(error) };
  }
}

/** RES: as idle as before the traffic. */
async function resources(play: Play): Promise<Verdict> {
  const { stage, baseline } = play;
  let wrong: string[] = [];
  await answer(
    () =>
      until('everything given back', RESOURCES_TIMEOUT_MS, stage.signal, () => {
        wrong = excess(baseline, play.usage());
        if (wrong.length > 0) play.note(`is everything given back? ${wrong.join('; ')}`);
        return wrong.length === 0;
      }),
    '',
  );
  return verdict(wrong, `${baseline.size} processes hold what they held`);
}

function result(play: Play, end: PlayEnd, { verdicts, registry }: Answers): ScenarioResult {
  const { chronicle, ledger, clients, caller, observer } = play;
  const counts: Record<string, number> = {};
  for (const { kind } of chronicle.faults) counts[kind] = (counts[kind] ?? 0) + 1;
  const [warm, cold] = [play.warm.latencies.distribution(), play.cold.latencies.distribution()];
  const told = Object.entries({ warm, cold }).filter(([, { n }]) => n > 0);
  const starts = [...observer.workers.values()].flatMap((worker) => [...worker.starts.values()]);
  return {
    verdicts,
    faults: counts,
    leaderChanges: chronicle.leaderChanges,
    ...(end.steps === undefined ? {} : { steps: end.steps }),
    figures: {
      ...end.figures,
      requests: ledger.begun,
      failures: ledger.failed,
      causes: ledger.causes(),
      rerouted: caller.rerouted,
      sandboxesStarted: starts.reduce((sum, count) => sum + count, 0),
      latencyMs: Object.fromEntries(told),
      ...clients?.figures(),
      ...(registry === undefined ? {} : { lostRegistrations: registry.lostRegistrations }),
    },
    summary: [
      `${ledger.begun} requests, ${ledger.failed} failed: ${JSON.stringify(ledger.causes())}`,
      ...told.map(
        ([name, { n, p50, p99, max }]) =>
          `${name}: ${n} in p50 ${p50}, p99 ${p99}, max ${max} ms from when they were due`,
      ),
    ],
    timeline: chronicle.timeline(),
    pictures: registry?.pictures ?? new Map(),
  };
}
