/**
 * `npm run sim -- --seed N` runs one seed and tells its story; `--seeds N [--from M] [--json FILE] [--resume]` runs many, on
 * all processors; `--regressions` runs those that failed once. Each is five virtual minutes unless `--length quick` says otherwise;
 * a failure is shrunk to the faults it needs.
 */
import { appendFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeCommit, isCommitted } from '../../cluster/commit.ts';
import { roughen } from '../mutants/rough.ts';
import { Flags } from '../setup/flags.ts';
import { drawOptions, type Length, type SimOptions } from './options.ts';
import { everyFailedSeed } from './regressions/seeds.ts';
import { journalLine, readJournal, rowOf, summary, type Journal, type Ran } from './rows.ts';
import { simulate, type SimResult } from './run.ts';
import { runShare, runShares } from './shares.ts';
import { shrink, tellSchedule } from './shrink.ts';

const SHRINK_RUNS = 60;
const flags = new Flags('sim');
const values = flags.parse({
  seed: { type: 'string' },
  seeds: { type: 'string' },
  from: { type: 'string' },
  length: { type: 'string' },
  json: { type: 'string' },
  resume: { type: 'boolean' },
  story: { type: 'boolean' },
  /** Every seed that failed once. */
  regressions: { type: 'boolean' },
  /** Internal: this process is given a share of the seeds by its parent, and sends it their rows. */
  share: { type: 'boolean' },
});

const json = flags.writable('json', values.json);

function whole(flag: string, text: string | undefined, fallback: number): number {
  return text === undefined ? fallback : flags.whole(flag, text);
}

function lengthOf(fallback: Length): Length {
  const { length = fallback } = values;
  if (length === 'quick' || length === 'long') return length;
  return flags.refuse(`--length: ${JSON.stringify(length)}: give quick or long`);
}

function tellDrawn({ schedule, ...drawn }: SimOptions, ranOn: string): void {
  process.stdout.write(
    `seed ${drawn.seed}, commit ${ranOn}: ${JSON.stringify({ ...drawn, faults: schedule.length })}\n`,
  );
}

async function runOne(seed: number): Promise<boolean> {
  const options = drawOptions(seed, lengthOf('long'));
  const ranOn = describeCommit();
  tellDrawn(options, ranOn);
  const beganMs = performance.now();
  const result = await simulate(seed, options);
  const { ok, virtualMs, leaderChanges, operations, calls, settledMs, messages } = result;
  const wall = ((performance.now() - beganMs) / 1_000).toFixed(1);
  process.stdout.write(`trace ${result.traceHash}\n`);
  process.stdout.write(
    `${ok ? 'ok' : 'FAILED'}: ${(virtualMs / 1_000).toFixed(1)} virtual s in ${wall} s, ${messages} messages, ${leaderChanges} leader changes, ${operations} checked operations, ${calls.ok} of ${calls.sent} calls, settled after ${settledMs} ms; faults ${JSON.stringify(result.faultsByKind)}\n`,
  );
  if (!ok || values.story) process.stdout.write(`${result.story.join('\n')}\n`);
  for (const violation of result.violations) process.stdout.write(`violation at ${violation}\n`);
  draw(`sim-${seed}`, result);
  if (json !== undefined)
    writeFileSync(
      json,
      `${JSON.stringify(summary([rowOf(result, beganMs)], Number(wall), ranOn), null, 2)}\n`,
    );
  if (!ok) await tellShrunk(options, result.violations);
  return ok;
}

function draw(prefix: string, { pictures }: SimResult): void {
  for (const [name, svg] of pictures) {
    const path = `${prefix}-${name}.svg`;
    writeFileSync(path, svg);
    process.stdout.write(`drawn in ${path}\n`);
  }
}

/** The faults that it needs, and what they lead to when there are no others. */
async function tellShrunk(options: SimOptions, violations: readonly string[]): Promise<void> {
  // With fewer faults it is no less vacuous.
  if (violations.every(isVacuous)) return;
  process.stdout.write(`shrinking ${options.schedule.length} faults (${SHRINK_RUNS} runs at most) …\n`);
  const small = await shrink(options, SHRINK_RUNS, (left) => process.stderr.write(`  ${left} faults \r`));
  process.stdout.write(`these faults are enough:\n${tellSchedule(small).join('\n')}\n`);
  const told = await simulate(small.seed, small);
  process.stdout.write(`their story:\n${told.story.join('\n')}\n`);
  draw(`sim-${small.seed}-shrunk`, told);
}

const isVacuous = (violation: string): boolean => violation.includes('vacuous');

const NOTHING: Journal = { lines: [], rows: [], others: undefined };

/** @returns the code that the program ends with */
async function runMany(count: number): Promise<number> {
  const from = whole('from', values.from, 1);
  const ran: Ran = { commit: describeCommit(), length: lengthOf('long') };
  process.stdout.write(`seeds ${from} to ${from + count - 1}, commit ${ran.commit}\n`);
  const journal = `${json ?? join('.', 'sim')}.rows`;
  const known = values.resume ? readJournal(journal, ran) : NOTHING;
  if (known.others !== undefined) process.stderr.write(`sim: ${known.others}: run again\n`);
  writeFileSync(journal, known.lines.map((line) => `${line}\n`).join(''));
  const rows = known.rows.filter(({ seed }) => seed >= from && seed < from + count);
  const done = new Set(rows.map(({ seed }) => seed));
  const left = Array.from({ length: count }, (_, i) => from + i).filter((seed) => !done.has(seed));
  const beganMs = performance.now();
  const earlierSeconds = rows.reduce((sum, { seconds }) => sum + seconds, 0) / availableParallelism();
  const broken = await runShares(fileURLToPath(import.meta.url), left, ran.length, (row) => {
    rows.push(row);
    appendFileSync(journal, journalLine(row, ran));
    if (!row.ok) process.stdout.write(`seed ${row.seed} FAILED: ${row.violations[0] ?? ''}\n`);
    if (rows.length % 10 === 0) process.stderr.write(`  ${rows.length} of ${count} seeds\n`);
  });
  if (broken !== undefined) {
    const kept = `${rows.length} of ${count} seeds are in ${journal}`;
    const next = isCommitted(ran.commit)
      ? 'go on with --resume'
      : 'commit what runs, and the next time --resume can go on';
    process.stderr.write(`sim: ${broken.why}; ${kept}: ${next}\n`);
    return broken.code;
  }
  const total = summary(
    rows,
    Number((earlierSeconds + (performance.now() - beganMs) / 1_000).toFixed(1)),
    ran.commit,
  );
  process.stdout.write(`${JSON.stringify({ ...total, rows: undefined }, null, 2)}\n`);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(total, null, 2)}\n`);
  const failed = rows.find(({ ok }) => !ok);
  if (failed === undefined) return 0;
  const options = drawOptions(failed.seed, ran.length);
  tellDrawn(options, ran.commit);
  await tellShrunk(options, failed.violations);
  return 1;
}

/** @returns whether all of them hold now */
async function runRegressions(): Promise<boolean> {
  let failed = 0;
  const seeds = everyFailedSeed();
  for (const { seed, length, rough } of seeds) {
    const drawn = drawOptions(seed, length);
    const { ok, violations } = await simulate(seed, rough ? roughen(drawn) : drawn);
    if (!ok) failed++;
    process.stdout.write(`seed ${seed} (${length}${rough ? ', rough' : ''}): ${ok ? 'ok' : violations[0]}\n`);
  }
  process.stdout.write(`${seeds.length - failed} of ${seeds.length} seeds that failed once hold\n`);
  return failed === 0;
}

type Flag = keyof typeof values;
type Question = 'seed' | 'seeds' | 'regressions';

/** What goes with each question; without one, a seed is drawn. */
const COMPANIONS: Readonly<Record<Question, readonly Flag[]>> = {
  seed: ['length', 'json', 'story'],
  seeds: ['from', 'length', 'json', 'resume'],
  regressions: [],
};

const isGiven = (flag: Flag): boolean => values[flag] !== undefined && values[flag] !== false;

/** One question at a time, and nothing that would be left out. */
function refuseMixed(): void {
  const questions = Object.keys(COMPANIONS) as Question[];
  const asked = questions.filter(isGiven);
  if (asked.length > 1) flags.refuse(`--${asked.join(' and --')}: give one of them`);
  const question = asked[0] ?? 'seed';
  for (const flag of (Object.keys(values) as Flag[]).filter(isGiven)) {
    if (flag === question || COMPANIONS[question].includes(flag)) continue;
    const others = questions.filter((other) => COMPANIONS[other].includes(flag)).map((other) => `--${other}`);
    flags.refuse(`--${flag} goes with ${others.join(' or ')}, not with --${question}`);
  }
  if (values.seeds !== undefined && whole('seeds', values.seeds, 1) < 1)
    flags.refuse('--seeds: no seed is run: give 1 or more');
}

async function answer(): Promise<number> {
  if (values.regressions) return (await runRegressions()) ? 0 : 1;
  if (values.seeds !== undefined) return runMany(whole('seeds', values.seeds, 1));
  return (await runOne(whole('seed', values.seed, Math.floor(Math.random() * 1_000_000)))) ? 0 : 1;
}

if (!values.share) {
  refuseMixed();
  process.exitCode = await answer();
} else if (process.send === undefined) flags.refuse('--share: it is given by a parent; give --seeds N');
else await runShare(lengthOf('long'));
