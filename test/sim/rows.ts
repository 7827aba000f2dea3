/** What is kept of each run of many, and what all of them come to. */
import { existsSync, readFileSync } from 'node:fs';
import { isCommitted, isSameCode } from '../../cluster/commit.ts';
import type { Length } from './options.ts';
import type { SimResult } from './run.ts';

/** Small, and enough for the summary. */
export interface Row {
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

/** Of what a row speaks: only rows of the same make a result. */
export interface Ran {
  readonly commit: string;
  readonly length: Length;
}

export interface Journal {
  /** All that can be read, whoever ran them: they stay. */
  readonly lines: readonly string[];
  /** Of this commit and length, whatever seeds were asked for. */
  readonly rows: readonly Row[];
  /** Why the others are of no use; undefined where there are none. */
  readonly others: string | undefined;
}

export function rowOf(result: SimResult, beganMs: number): Row {
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

/** What an interruption cut off, or another commit or length has run, is of no use; nor is what was in no commit: it may have changed. */
export function readJournal(path: string, { commit, length }: Ran): Journal {
  if (!existsSync(path)) return { lines: [], rows: [], others: undefined };
  const all = readFileSync(path, 'utf8').split('\n').slice(0, -1).filter(Boolean);
  const lines = all.filter((line) => readRow(line) !== undefined);
  const rows = lines
    .map(readRow)
    .filter((row) => row?.length === length && isSameCode(row.commit, commit)) as Row[];
  const others = all.length - rows.length;
  if (others === 0) return { lines, rows, others: undefined };
  const why = isCommitted(commit)
    ? 'damaged, or of another commit or length'
    : `not reused: what runs now is in no commit (${commit})`;
  return { lines, rows, others: `${others} rows of ${path} are ${why}` };
}

export function journalLine(row: Row, ran: Ran): string {
  return `${JSON.stringify({ ...row, ...ran })}\n`;
}

function readRow(line: string): (Row & Ran) | undefined {
  try {
    return JSON.parse(line) as Row & Ran;
  } catch {
    return undefined;
  }
}

/** @param ranOn the commit as it was when the run began */
export function summary(rows: readonly Row[], wallSeconds: number, ranOn: string): object {
  const sum = (of: (row: Row) => number): number => rows.reduce((total, row) => total + of(row), 0);
  const faultsByKind: Record<string, number> = {};
  for (const row of rows)
    for (const [kind, count] of Object.entries(row.faultsByKind))
      faultsByKind[kind] = (faultsByKind[kind] ?? 0) + count;
  const least = (of: (row: Row) => number): number => Math.min(...rows.map(of));
  return {
    commit: ranOn,
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
