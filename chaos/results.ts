/**
 * The results of many runs, in one file of JSON: written after each run, in one step, so that whatever interrupts the next one,
 * the file is whole and can be gone on from.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { isSameCode } from '../cluster/commit.ts';
import { writable } from '../cluster/result-file.ts';
import { BatonError, explain } from '../src/lib/errors.ts';
import type { Timeline } from './histories/chronicle.ts';
import type { Verdict } from './verifiers/verdict.ts';

/** One run. What else its scenario tells of itself is here too. */
export interface RunRow {
  readonly scenario: string;
  readonly seed: number;
  readonly ok: boolean;
  readonly verdicts: Readonly<Record<string, Verdict>>;
  /** How many of each kind. */
  readonly faults: Readonly<Record<string, number>>;
  readonly leaderChanges: number;
  readonly wallSeconds: number;
  /** Plays it again, and tells it from runs of the same scenario and seed that were asked for more or less. */
  readonly command: string;
  /** Of what code it speaks (cluster/commit.ts). */
  readonly commit: string;
  /** Undefined: it broke before there was anything to tell. */
  readonly timeline?: Timeline | undefined;
  readonly [figure: string]: unknown;
}

const numbers = z.array(z.number());
const text = z.string();
const timelineSchema = z.object({
  binMs: z.number(),
  endMs: z.number(),
  served: numbers,
  failed: numbers,
  worstMs: numbers,
  leaders: z.array(z.object({ id: text, term: z.number(), fromMs: z.number(), toMs: z.number() })),
  faults: z.array(z.object({ kind: text, target: text, fromMs: z.number(), toMs: z.number(), proof: text })),
}) satisfies z.ZodType<Timeline>;

const rowSchema = z.looseObject({
  scenario: text,
  seed: z.number(),
  ok: z.boolean(),
  verdicts: z.record(text, z.object({ ok: z.boolean(), what: text })),
  faults: z.record(text, z.number()),
  leaderChanges: z.number(),
  wallSeconds: z.number(),
  command: text,
  commit: text.default('unknown'),
  timeline: timelineSchema.optional(),
}) satisfies z.ZodType<RunRow>;

const fileSchema = z.object({ rows: z.array(rowSchema) });

export class Results {
  readonly #path: string | undefined;
  readonly #rows: Map<string, RunRow>;
  /** Commands of the runs that belong together; others may be in the file. */
  readonly #planned: readonly string[];
  readonly #commit: string;
  /** Commands of the runs of this process, whatever its code. */
  readonly #played = new Set<string>();

  private constructor(
    path: string | undefined,
    planned: readonly string[],
    rows: readonly RunRow[],
    commit: string,
  ) {
    this.#path = path;
    this.#commit = commit;
    this.#planned = planned;
    this.#rows = new Map(rows.map((row) => [row.command, row]));
  }

  /**
   * @param path undefined: nothing is written
   * @param commit of what is played now: what other code came to is played again
   * @throws BatonError `invalid-argument` when the file cannot be gone on from, or its directory is not there
   */
  static open(
    path: string | undefined,
    planned: readonly string[],
    isResumed: boolean,
    commit: string,
  ): Results {
    writable('json', path);
    const rows = path !== undefined && isResumed ? readRows(path) : [];
    return new Results(path, planned, rows, commit);
  }

  get rows(): readonly RunRow[] {
    return [...this.#rows.values()];
  }

  /** It was played, by this code, and all was well. */
  isGood(command: string): boolean {
    const row = this.#rows.get(command);
    if (row?.ok !== true) return false;
    return this.#played.has(command) || isSameCode(row.commit, this.#commit);
  }

  /** Planned, played and good, but by other code. */
  get outdated(): number {
    return this.#planned.filter((command) => this.#rows.get(command)?.ok === true && !this.isGood(command))
      .length;
  }

  /** In the place of an earlier one, or at the end; and writes the file. */
  add(row: RunRow): void {
    this.#played.add(row.command);
    this.#rows.set(row.command, row);
    this.#write();
  }

  /** All that were planned were played, and good. */
  get ok(): boolean {
    return this.#planned.every((command) => this.isGood(command));
  }

  #write(): void {
    if (this.#path === undefined) return;
    const { rows } = this;
    const faults: Record<string, number> = {};
    for (const row of rows)
      for (const [kind, count] of Object.entries(row.faults)) faults[kind] = (faults[kind] ?? 0) + count;
    const all = {
      ok: this.ok,
      planned: this.#planned.length,
      runs: rows.length,
      failed: rows.filter(({ ok }) => !ok).length,
      faults,
      leaderChanges: rows.reduce((sum, row) => sum + row.leaderChanges, 0),
      wallSeconds: Math.round(rows.reduce((sum, row) => sum + row.wallSeconds, 0)),
      rows,
    };
    const draft = `${this.#path}.${process.pid}.tmp`;
    writeFileSync(draft, `${JSON.stringify(all, undefined, 1)}\n`);
    renameSync(draft, this.#path);
  }
}

/** @throws BatonError `invalid-argument` that names the flag */
export function makeDirectory(flag: string, directory: string): void {
  try {
    mkdirSync(directory, { recursive: true });
  } catch (error) {
    throw unusable(flag, `${directory} cannot be made: ${explain(error)}`, 'name another place');
  }
}

function readRows(path: string): RunRow[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    // The first time there is nothing to go on from.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw unusable('--json', explain(error), 'name another file');
  }
  const hint = 'name the file that the interrupted run wrote, or leave out --resume to write it anew';
  try {
    const { data, error } = fileSchema.safeParse(JSON.parse(text));
    if (data !== undefined) return data.rows;
    const [issue] = error.issues;
    throw unusable('--json', `${path} holds no results: ${issue?.path.join('.')}: ${issue?.message}`, hint);
  } catch (error) {
    if (error instanceof BatonError) throw error;
    throw unusable('--json', `${path} holds no results: ${explain(error)}`, hint);
  }
}

function unusable(flag: string, what: string, hint: string): BatonError {
  return new BatonError('invalid-argument', `${flag}: ${what}`, { fields: { path: flag }, hint });
}
