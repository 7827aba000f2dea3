/** Many runs, one after the other: each scenario with each seed. What goes wrong in one is its row's to tell, and the next begins. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { BatonError, explain, isBatonError } from '../src/lib/errors.ts';
import { commandOf, type ChaosOptions } from './options.ts';
import type { Progress } from './progress.ts';
import { makeDirectory, Results, type RunRow } from './results.ts';
import type { run, RunOptions, RunResult } from './runner.ts';
import type { Scenario } from './scenario.ts';

const MS_PER_MINUTE = 60_000;
const RESUME = 'the same again with --resume plays what is missing';

export interface Planned {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly command: string;
}

/** All seeds of a scenario before the next scenario. */
export function planRuns(options: ChaosOptions, scenarios: readonly Scenario[]): Planned[] {
  return scenarios
    .filter(({ name }) => options.scenarios.includes(name))
    .flatMap((scenario) =>
      options.seeds.map((seed) => ({ scenario, seed, command: commandOf(options, scenario.name, seed) })),
    );
}

export interface CampaignWorld {
  readonly signal: AbortSignal;
  readonly progress: Progress;
  /** Of the code that is played (cluster/commit.ts). */
  readonly commit: string;
  /** One run (runner.ts). */
  readonly run: typeof run;
  /** Lines for people: what each run came to. */
  readonly say: (line: string) => void;
  /** After each run. */
  readonly onRow: (results: Results) => void;
}

/**
 * @returns true when every planned run is good, those of the resumed file included
 * @throws BatonError `canceled` after an interruption, when everything is stopped and what was played is written
 */
export async function campaign(
  options: ChaosOptions,
  plan: readonly Planned[],
  world: CampaignWorld,
): Promise<boolean> {
  const results = Results.open(
    options.json,
    plan.map(({ command }) => command),
    options.isResumed,
    world.commit,
  );
  for (const { prepare } of new Set(plan.map(({ scenario }) => scenario))) await prepare?.(world.say);
  const due = plan.filter(({ command }) => !results.isGood(command));
  if (due.length < plan.length)
    world.say(`${plan.length - due.length} of ${plan.length} runs were good before`);
  if (results.outdated > 0)
    world.say(`${results.outdated} runs were good on other code, or on what is in no commit: played again`);
  for (const planned of due) {
    const { progress } = world;
    const place = plan.indexOf(planned) + 1;
    progress.prefix =
      plan.length === 1 ? '' : `[${place}/${plan.length}] ${planned.scenario.name} ${planned.seed}  `;
    const row = await playOne(options, planned, plan.length > 1, world);
    results.add(row);
    world.onRow(results);
  }
  if (plan.length > 1) tellAll(plan, results, world);
  return results.ok;
}

async function playOne(
  options: ChaosOptions,
  { scenario, seed, command }: Planned,
  isMany: boolean,
  { run, signal, progress, say, commit }: CampaignWorld,
): Promise<RunRow> {
  const beganMs = performance.now();
  const { count, minutes, isShort, json } = options;
  const asked: RunOptions = {
    seed,
    count,
    faultsMs: minutes === undefined ? undefined : minutes * MS_PER_MINUTE,
    isShort,
    directory: placeOf(options, isMany ? `${scenario.name}-${seed}` : ''),
  };
  try {
    const result = await run(scenario, asked, signal, progress.show);
    progress.end();
    for (const line of tellRun(result, isMany)) say(line);
    return rowOf(result, command, commit, drawPictures(result, options, say));
  } catch (error) {
    progress.end();
    if (isUsage(error)) throw error;
    if (isBatonError(error, 'canceled'))
      throw new BatonError('canceled', error.message, json === undefined ? {} : { hint: RESUME });
    const hint = isBatonError(error) && error.hint !== undefined ? ` — ${error.hint}` : '';
    const what = `${explain(error)}${hint}`;
    say(`✗ ${scenario.name} ${seed}: the run broke: ${what}`);
    const wallSeconds = Math.round((performance.now() - beganMs) / 100) / 10;
    const verdicts = { run: { ok: false, what } };
    return {
      scenario: scenario.name,
      seed,
      ok: false,
      verdicts,
      faults: {},
      leaderChanges: 0,
      wallSeconds,
      command,
      commit,
    };
  }
}

/** What an earlier try of the same run has left behind stays where it is. */
function placeOf({ directory, isResumed }: ChaosOptions, own: string): string | undefined {
  if (directory === undefined) return undefined;
  const first = join(directory, own).replace(/(.)\/$/, '$1');
  let place = first;
  for (let n = 2; isResumed && isInUse(place); n++) place = `${first}-${n}`;
  return place;
}

function isInUse(directory: string): boolean {
  return existsSync(directory) && readdirSync(directory).length > 0;
}

/** What was typed is wrong, and not what was played. */
export function isUsage(error: unknown): boolean {
  if (!isBatonError(error)) return false;
  const { path } = error.fields;
  return typeof path === 'string' && (path === 'flags' || path.startsWith('--'));
}

function rowOf(result: RunResult, command: string, commit: string, pictures: readonly string[]): RunRow {
  const { scenario, seed, ok, verdicts, faults, leaderChanges, wallSeconds } = result;
  const { figures, steps, timeline, keptIn } = result;
  const own = {
    ...figures,
    ...(steps === undefined ? {} : { steps }),
    ...(keptIn === undefined ? {} : { keptIn }),
  };
  return {
    scenario,
    seed,
    ok,
    verdicts,
    faults,
    leaderChanges,
    wallSeconds,
    command,
    commit,
    ...own,
    pictures,
    timeline,
  };
}

/** All of a single run; of one of many its line, and what was wrong. */
function tellRun({ scenario, seed, ok, ...result }: RunResult, isMany: boolean): string[] {
  const { leaderChanges, faults, verdicts, summary, wallSeconds, keptIn } = result;
  const came = `${leaderChanges} leader changes in ${wallSeconds} s; faults ${JSON.stringify(faults)}`;
  return [
    isMany ? `${ok ? '✓' : '✗'} ${scenario} ${seed}: ${came}` : came,
    ...(isMany && ok ? [] : summary),
    ...Object.entries(verdicts)
      .filter((verdict) => !isMany || !verdict[1].ok)
      .map(([name, verdict]) => `${isMany ? '  ' : ''}${verdict.ok ? '✓' : '✗'} ${name}: ${verdict.what}`),
    ...(keptIn === undefined ? [] : [`logs and disks are in ${keptIn}`]),
  ];
}

function tellAll(plan: readonly Planned[], results: Results, { say }: CampaignWorld): void {
  const failed = plan.filter(({ command }) => !results.isGood(command));
  say(`${plan.length - failed.length} of ${plan.length} runs good`);
  for (const { command } of failed) say(`✗ ${command}`);
}

/** What no single copy could have produced. @returns paths */
function drawPictures(
  { pictures, scenario, seed }: RunResult,
  { json, report }: ChaosOptions,
  say: (line: string) => void,
): string[] {
  const folder = resolve(report ?? (json === undefined ? '.' : dirname(json)));
  if (pictures.size > 0) makeDirectory('--report', folder);
  return [...pictures].map(([name, svg]) => {
    const path = join(folder, `chaos-${scenario}-${seed}-${name}.svg`);
    writeFileSync(path, svg);
    say(`drawn in ${path}`);
    return path;
  });
}
