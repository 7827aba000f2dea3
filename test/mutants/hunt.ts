/** One mutant through its checks, and the unmutated tree through the same: only a difference counts. */
import {
  compile,
  runCheck,
  runSeeds,
  runTests,
  TESTS,
  type SeedRange,
  type SimBudget,
  type Verdict,
} from './checks.ts';
import type { Edit, Group, Mutant } from './mutant.ts';
import { copyTree, plant, removeWorkspace } from './workspace.ts';

export interface Row {
  readonly id: string;
  readonly group: Group;
  readonly title: string;
  readonly source: string;
  readonly caught: boolean;
  /** "sim: leader completeness", "golden: …"; why not, where it was not caught. */
  readonly by: string;
  /** What the check said. */
  readonly detail: string;
  /** Simulated until it was caught. */
  readonly seeds: number;
  readonly seconds: number;
}

/** Seeds that the unmutated tree passes before the first hunt. */
const BASELINE_SEEDS: SimBudget = {
  quick: { length: 'quick', from: 1, count: 30 },
  long: { length: 'long', from: 1, count: 1 },
};

/** What is run a second time, where the mutant is not. */
export interface Confirmations {
  readonly runSeeds: typeof runSeeds;
  readonly runTests: typeof runTests;
}

export class Baseline {
  readonly workspace: string;
  readonly #asked = new Map<string, Promise<Verdict>>();
  readonly #run: Confirmations;

  constructor(workspace: string = copyTree(), run: Confirmations = { runSeeds, runTests }) {
    this.workspace = workspace;
    this.#run = run;
  }

  /** @returns what is red without any mutant, by check; empty: the hunt may begin */
  async check(mutants: readonly Mutant[]): Promise<string[]> {
    const why = await compile(this.workspace);
    if (why !== undefined) return [`it does not compile: ${why}`];
    const red: string[] = [];
    const tests = [...new Set(mutants.flatMap((mutant) => testsOf(mutant)))];
    for (const check of new Set(mutants.flatMap(({ checks }) => checks))) {
      const verdict = await runCheck(check, tests, this.workspace, BASELINE_SEEDS);
      if (verdict.kind === 'failed') red.push(`${verdict.by}: ${verdict.detail}`);
      if (verdict.kind === 'invalid') red.push(`${check} does not load: ${verdict.why}`);
    }
    return red;
  }

  /** Whether this very seed passes under the mutant's conditions, without the mutant; each is run once. */
  passes(seed: SeedRange, mutant: Mutant): Promise<boolean> {
    return this.#passes(`${seed.length}/${seed.from}`, mutant, (tree) => this.#run.runSeeds(seed, tree));
  }

  /** Whether these tests come to an end, and a good one, where the mutant is not; each set is run once. */
  ends(tests: readonly string[], mutant: Mutant): Promise<boolean> {
    return this.#passes(tests.join(' '), mutant, (tree) => this.#run.runTests('tests', tests, tree));
  }

  async #passes(
    what: string,
    { conditions = [] }: Mutant,
    run: (workspace: string) => Promise<Verdict>,
  ): Promise<boolean> {
    const key = `${what}/${JSON.stringify(conditions)}`;
    const known = this.#asked.get(key) ?? this.#under(conditions, run);
    this.#asked.set(key, known);
    return (await known).kind === 'passed';
  }

  async #under(conditions: readonly Edit[], run: (workspace: string) => Promise<Verdict>): Promise<Verdict> {
    if (conditions.length === 0) return run(this.workspace);
    const workspace = plant({ id: 'conditions', edits: conditions }, this.workspace);
    try {
      return await run(workspace);
    } finally {
      removeWorkspace(workspace);
    }
  }
}

export async function hunt(mutant: Mutant, baseline: Baseline): Promise<Row> {
  const { id, group, title, source } = mutant;
  const beganMs = performance.now();
  const workspace = plant(mutant, baseline.workspace);
  const row = (caught: boolean, by: string, detail: string, seeds: number): Row => {
    const seconds = Math.round((performance.now() - beganMs) / 100) / 10;
    return { id, group, title, source, caught, by, detail, seeds, seconds };
  };
  try {
    const why = await compile(workspace);
    if (why !== undefined) return row(false, 'invalid: it does not compile', why, 0);
    let seeds = 0;
    for (const check of mutant.checks) {
      const verdict = await runCheck(check, testsOf(mutant), workspace);
      if (verdict.kind === 'invalid')
        return row(false, `invalid: ${check} does not load`, verdict.why, seeds);
      seeds += verdict.seeds;
      if (verdict.kind === 'passed') continue;
      const { file } = verdict;
      if (check !== 'golden' && file !== undefined && !(await isSteady(file, workspace, baseline)))
        return row(false, `invalid: ${verdict.by}: fails now and then`, verdict.detail, seeds);
      const without = await failsWithout(verdict, mutant, baseline);
      if (without !== undefined)
        return row(false, `invalid: ${without} fails without it`, verdict.detail, seeds);
      return row(true, verdict.by, seedNote(verdict.seed, verdict.detail), seeds);
    }
    return row(false, `survived ${mutant.checks.join(' and ')}`, '', seeds);
  } finally {
    removeWorkspace(workspace);
  }
}

function testsOf({ checks, tests, group }: Mutant): readonly string[] {
  return checks.includes('tests') ? (tests ?? TESTS[group]) : [];
}

/** @returns what the unmutated tree fails as well: a seed, or tests that a slow machine does not end in time */
export async function failsWithout(
  { by, seed, unended }: Extract<Verdict, { kind: 'failed' }>,
  mutant: Mutant,
  baseline: Pick<Baseline, 'passes' | 'ends'>,
): Promise<string | undefined> {
  if (seed !== undefined && !(await baseline.passes(seed, mutant))) return `${seed.length} seed ${seed.from}`;
  if (unended !== undefined && !(await baseline.ends(unended, mutant))) return `${by}:`;
  return undefined;
}

/** It fails again with the mutant, and not without it: a test that depends on the machine catches nothing. */
async function isSteady(file: string, workspace: string, baseline: Baseline): Promise<boolean> {
  const again = await runCheck('tests', [file], workspace);
  const without = await runCheck('tests', [file], baseline.workspace);
  return again.kind === 'failed' && without.kind === 'passed';
}

function seedNote(seed: SeedRange | undefined, detail: string): string {
  return seed === undefined ? detail : `${seed.length} seed ${seed.from}, ${detail}`;
}
