/** One mutant through its checks, and the unmutated tree through the same: only a difference counts. */
import {
  compile,
  runCheck,
  runSeeds,
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

export class Baseline {
  readonly workspace: string = copyTree();
  readonly #seeds = new Map<string, Promise<Verdict>>();
  readonly #tests = new Map<string, Promise<Verdict>>();

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
  async passes(seed: SeedRange, { conditions = [] }: Mutant): Promise<boolean> {
    const key = `${seed.length}/${seed.from}/${JSON.stringify(conditions)}`;
    const known = this.#seeds.get(key) ?? this.#runSeed(seed, conditions);
    this.#seeds.set(key, known);
    return (await known).kind === 'passed';
  }

  /** Whether these tests pass, and end, without any mutant; each set is run once. */
  async passesTests(tests: readonly string[]): Promise<boolean> {
    const key = tests.join(' ');
    const known = this.#tests.get(key) ?? runCheck('tests', tests, this.workspace);
    this.#tests.set(key, known);
    return (await known).kind === 'passed';
  }

  async #runSeed(seed: SeedRange, conditions: readonly Edit[]): Promise<Verdict> {
    if (conditions.length === 0) return runSeeds(seed, this.workspace);
    const workspace = plant({ id: 'conditions', edits: conditions }, this.workspace);
    try {
      return await runSeeds(seed, workspace);
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
      const { seed, tests, timedOut } = verdict;
      if (timedOut && !(await baseline.passesTests(tests)))
        return row(false, `invalid: ${verdict.by}, nor without it`, verdict.detail, seeds);
      // The dialogues depend on nothing but the code.
      const isSure = timedOut || check === 'golden' || tests.length === 0;
      if (!isSure && !(await isSteady(tests, workspace, baseline)))
        return row(false, `invalid: ${verdict.by}: fails now and then`, verdict.detail, seeds);
      if (seed !== undefined && !(await baseline.passes(seed, mutant)))
        return row(
          false,
          `invalid: ${seed.length} seed ${seed.from} fails without it`,
          verdict.detail,
          seeds,
        );
      return row(true, verdict.by, seedNote(seed, verdict.detail), seeds);
    }
    return row(false, `survived ${mutant.checks.join(' and ')}`, '', seeds);
  } finally {
    removeWorkspace(workspace);
  }
}

function testsOf({ checks, tests, group }: Mutant): readonly string[] {
  return checks.includes('tests') ? (tests ?? TESTS[group]) : [];
}

/** It fails again with the mutant, and not without it: a test that depends on the machine catches nothing. */
async function isSteady(tests: readonly string[], workspace: string, baseline: Baseline): Promise<boolean> {
  const again = await runCheck('tests', tests, workspace);
  return again.kind === 'failed' && (await baseline.passesTests(tests));
}

function seedNote(seed: SeedRange | undefined, detail: string): string {
  return seed === undefined ? detail : `${seed.length} seed ${seed.from}, ${detail}`;
}
