/**
 * `npm run sim -- --seed N` runs one seed and tells its story; `--seeds N [--from M] [--json FILE] [--resume]` runs many, on
 * all processors; `--regressions` runs those that failed once. Each is five virtual minutes unless `--length quick` says otherwise;
 * a failure is shrunk to the faults it needs.
 */
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { roughen } from '../mutants/rough.ts';
import { Flags } from '../setup/flags.ts';
import { drawOptions, type Length, type SimOptions } from './options.ts';
import { simulate, type SimResult } from './run.ts';
import { everyFailedSeed } from './regressions/seeds.ts';
import { shrink, tellSchedule } from './shrink.ts';

const SHRINK_RUNS = 60;
/**
 * A simulated cluster throws away much at once and keeps little: with V8's own 16 MiB for what is new the collector has a good part
 * of a share's time. Every processor has a share, and none is left for the collector's threads; where an error came from is asked of
 * the run of its seed alone.
 */
const SHARE_FLAGS = ['--max-semi-space-size=64', '--single-threaded-gc', '--stack-trace-limit=0'];

const flags = new Flags('sim');
const values = flags.parse({
  seed: { type: 'string' },
  seeds: { type: 'string' },
  from: { type: 'string', default: '1' },
  length: { type: 'string' },
  json: { type: 'string' },
  resume: { type: 'boolean', default: false },
  story: { type: 'boolean', default: false },
  /** Every seed that failed once. */
  regressions: { type: 'boolean', default: false },
  /** Internal: this process is given a share of the seeds by its parent, and sends it their rows. */
  share: { type: 'boolean', default: false },
});

/** What is kept of a run: small, and enough for the summary. */
interface Row {
  readonly seed: number;
  readonly ok: boolean;
  readonly trace: string;
  readonly virtualMs: number;
  readonly events: number;
  readonly operations: number;
  readonly faultsByKind: SimResult['faultsByKind'];
  readonly leaderChanges: number;
  readonly violations: readonly string[];
  /** Of one processor. */
  readonly seconds: number;
}

const json = flags.writable('json', values.json);

function whole(flag: string, text: string | undefined, fallback: number): number {
  return text === undefined ? fallback : flags.whole(flag, text);
}

function lengthOf(fallback: Length): Length {
  const { length = fallback } = values;
  if (length === 'quick' || length === 'long') return length;
  return flags.refuse(`--length: ${JSON.stringify(length)}: give quick or long`);
}

function rowOf(result: SimResult, beganMs: number): Row {
  return {
    seconds: Number(((performance.now() - beganMs) / 1_000).toFixed(2)),
    seed: result.options.seed,
    ok: result.ok,
    trace: result.traceHash,
    virtualMs: result.virtualMs,
    events: result.events,
    operations: result.operations,
    faultsByKind: result.faultsByKind,
    leaderChanges: result.leaderChanges,
    violations: result.violations,
  };
}

/** "-dirty": what ran is in no commit. */
function commit(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty', '--exclude', '*'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return 'unknown';
  }
}

function tellDrawn({ schedule, ...drawn }: SimOptions): void {
  process.stdout.write(
    `seed ${drawn.seed}, commit ${commit()}: ${JSON.stringify({ ...drawn, faults: schedule.length })}\n`,
  );
}

async function runOne(seed: number): Promise<boolean> {
  const options = drawOptions(seed, lengthOf('long'));
  tellDrawn(options);
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
    writeFileSync(json, `${JSON.stringify(summary([rowOf(result, beganMs)], Number(wall)), null, 2)}\n`);
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

function summary(rows: readonly Row[], wallSeconds: number): object {
  const sum = (of: (row: Row) => number): number => rows.reduce((total, row) => total + of(row), 0);
  const faultsByKind: Record<string, number> = {};
  for (const row of rows)
    for (const [kind, count] of Object.entries(row.faultsByKind))
      faultsByKind[kind] = (faultsByKind[kind] ?? 0) + count;
  const least = (of: (row: Row) => number): number => Math.min(...rows.map(of));
  return {
    commit: commit(),
    seeds: rows.length,
    virtualHours: sum((row) => row.virtualMs) / 3_600_000,
    wallSeconds,
    eventsPerSecond: Math.round(sum((row) => row.events) / Math.max(0.001, wallSeconds)),
    opsPerSeed: Math.round(sum((row) => row.operations) / Math.max(1, rows.length)),
    faultsByKind,
    leaderChanges: sum((row) => row.leaderChanges),
    opsChecked: sum((row) => row.operations),
    violations: sum((row) => row.violations.length),
    least: {
      virtualMs: least((row) => row.virtualMs),
      faults: least((row) => Object.values(row.faultsByKind).reduce((total, count) => total + count, 0)),
      leaderChanges: least((row) => row.leaderChanges),
      operations: least((row) => row.operations),
    },
    rows: rows.filter(({ ok }) => !ok),
  };
}

/** One seed after the other, as the parent gives them; it hears of each, and nobody goes on without it. */
async function runShare(): Promise<void> {
  const orphaned = (): void => process.exit(1);
  process.on('disconnect', orphaned);
  for (;;) {
    const [{ seed }] = (await once(process, 'message')) as [{ seed?: number }];
    if (seed === undefined) break;
    const beganMs = performance.now();
    process.send?.(rowOf(await simulate(seed, drawOptions(seed, lengthOf('long'))), beganMs));
  }
  process.off('disconnect', orphaned);
  process.disconnect();
}

/** Of what a row speaks: only rows of the same make a result. */
interface Ran {
  readonly commit: string;
  readonly length: Length;
}

/** What an interruption cut off, or another commit or length has run, is run again. */
function readJournal(path: string, { commit, length }: Ran): Row[] {
  if (!values.resume || !existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1).filter(Boolean);
  const all = lines.map(readRow);
  const rows = all.filter((row) => row?.commit === commit && row.length === length) as Row[];
  const others = all.length - rows.length;
  if (others > 0)
    process.stderr.write(
      `sim: ${others} rows of ${path} are damaged, or of another commit or length: run again\n`,
    );
  return rows;
}

function readRow(line: string): (Row & Ran) | undefined {
  try {
    return JSON.parse(line) as Row & Ran;
  } catch {
    return undefined;
  }
}

async function runMany(count: number): Promise<boolean> {
  const from = whole('from', values.from, 1);
  const ran: Ran = { commit: commit(), length: lengthOf('long') };
  process.stdout.write(`seeds ${from} to ${from + count - 1}, commit ${ran.commit}\n`);
  const journal = `${json ?? join('.', 'sim')}.rows`;
  const rows = readJournal(journal, ran).filter(({ seed }) => seed >= from && seed < from + count);
  writeFileSync(journal, rows.map((row) => `${JSON.stringify({ ...row, ...ran })}\n`).join(''));
  const done = new Set(rows.map(({ seed }) => seed));
  const left = Array.from({ length: count }, (_, i) => from + i).filter((seed) => !done.has(seed));
  const beganMs = performance.now();
  const jobs = Math.max(1, Math.min(availableParallelism(), left.length));
  const earlierSeconds = rows.reduce((sum, { seconds }) => sum + seconds, 0) / availableParallelism();
  const onRow = (row: Row): void => {
    rows.push(row);
    appendFileSync(journal, `${JSON.stringify({ ...row, ...ran })}\n`);
    if (!row.ok) process.stdout.write(`seed ${row.seed} FAILED: ${row.violations[0] ?? ''}\n`);
    if (rows.length % 10 === 0) process.stderr.write(`  ${rows.length} of ${count} seeds\n`);
  };
  // One by one: processors of a shared machine are not of one pace.
  const ends = await Promise.all(Array.from({ length: jobs }, () => runJob(() => left.shift(), onRow)));
  const total = summary(rows, Number((earlierSeconds + (performance.now() - beganMs) / 1_000).toFixed(1)));
  process.stdout.write(`${JSON.stringify({ ...total, rows: undefined }, null, 2)}\n`);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(total, null, 2)}\n`);
  const broken = ends.find((end) => end !== undefined);
  if (broken !== undefined)
    process.stderr.write(`sim: ${broken}; what is done is in ${journal}: go on with --resume\n`);
  const failed = rows.find(({ ok }) => !ok);
  if (failed !== undefined) {
    const options = drawOptions(failed.seed, ran.length);
    tellDrawn(options);
    await tellShrunk(options, failed.violations);
  }
  return rows.length >= count && failed === undefined;
}

/** @returns how it ended before its time, if it did */
function runJob(next: () => number | undefined, onRow: (row: Row) => void): Promise<string | undefined> {
  const child = fork(fileURLToPath(import.meta.url), ['--share', '--length', lengthOf('long')], {
    execArgv: [...process.execArgv, ...SHARE_FLAGS],
    cwd: dirname(fileURLToPath(import.meta.url)),
  });
  const give = (): void => void child.send({ seed: next() });
  give();
  const end = (): void => void child.kill();
  process.once('SIGINT', end);
  return new Promise((resolve) => {
    child.on('message', (row) => {
      give();
      onRow(row as Row);
    });
    child.on('exit', (code, signal) => {
      process.off('SIGINT', end);
      resolve(code === 0 ? undefined : `a share of the seeds ended with ${signal ?? `code ${code}`}`);
    });
  });
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

/** One question at a time: what would be left out is refused. */
function refuseMixed(): void {
  const asked = (['seed', 'seeds', 'regressions'] as const).filter(
    (flag) => values[flag] !== undefined && values[flag] !== false,
  );
  if (asked.length > 1) flags.refuse(`--${asked.join(' and --')}: give one of them`);
  if (values.seeds === undefined && values.resume) flags.refuse('--resume: only --seeds N can go on');
  if (values.seeds !== undefined && whole('seeds', values.seeds, 1) < 1)
    flags.refuse('--seeds: no seed is run: give 1 or more');
}

refuseMixed();
if (values.share && process.send === undefined)
  flags.refuse('--share: it is given by a parent; give --seeds N');
if (values.share) await runShare();
else if (values.regressions) process.exitCode = (await runRegressions()) ? 0 : 1;
else {
  const ok =
    values.seeds === undefined
      ? await runOne(whole('seed', values.seed, Math.floor(Math.random() * 1_000_000)))
      : await runMany(whole('seeds', values.seeds, 1));
  process.exitCode = ok ? 0 : 1;
}
