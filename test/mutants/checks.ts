/** The checks, in a given copy of the tree: what fails, and whether it is the mutant that fails or only its loading. */
import { existsSync, readdirSync, mkdtempSync, readFileSync, realpathSync } from 'node:fs';
import { join, relative } from 'node:path';
import { runNode, type Ended } from './child.ts';
import type { CheckName, Group } from './mutant.ts';
import { oracleOf } from './oracle.ts';
import type { SeedLine } from './seeds.ts';
import { ROOT, scratchOf } from './workspace.ts';

export type Verdict =
  | { readonly kind: 'passed'; readonly seeds: number }
  /** `seeds`: how many it took. `seed`: the one that failed, with its length. */
  | {
      readonly kind: 'failed';
      readonly by: string;
      readonly detail: string;
      readonly seeds: number;
      readonly seed: SeedRange | undefined;
      /** The file whose test failed. */
      readonly file: string | undefined;
      /** The tests that were not done in time, all of them: which one hung is not known. */
      readonly unended: readonly string[] | undefined;
    }
  /** It does not load: nothing was shown. */
  | { readonly kind: 'invalid'; readonly why: string };

export interface SeedRange {
  readonly length: 'quick' | 'long';
  readonly from: number;
  readonly count: number;
}

/** About 0.15 s a quick seed and 3 s a long one. */
export interface SimBudget {
  readonly quick: SeedRange;
  readonly long: SeedRange;
}

const SEED_BUDGET: SimBudget = {
  quick: { length: 'quick', from: 1, count: 250 },
  long: { length: 'long', from: 1, count: 6 },
};

const COMPILE_LIMIT_MS = 120_000;
const TESTS_LIMIT_MS = 300_000;
const SEEDS_LIMIT_MS = 420_000;

const bin = (path: string): string => join(ROOT, 'node_modules', path);

/** M2. @returns what does not compile, undefined when all does */
export async function compile(workspace: string): Promise<string | undefined> {
  const ended = await runNode(
    [bin('typescript/bin/tsc'), '--noEmit', '-p', 'tsconfig.build.json'],
    workspace,
    COMPILE_LIMIT_MS,
  );
  return ended.code === 0 ? undefined : firstLine(ended.stdout || ended.stderr);
}

export const TESTS: Readonly<Record<Group, readonly string[]>> = {
  raft: [
    'test/unit/metadata',
    'test/unit/log-file',
    'test/property/metadata',
    'test/property/log-file',
    'test/property/raft',
  ],
  recovery: [
    'test/unit/data-plane',
    'test/unit/dispatch',
    'test/unit/endpoints',
    'test/unit/fleet',
    'test/property/dispatch',
    'test/property/endpoints',
    'test/property/fleet',
    'test/property/recovery',
  ],
  placement: ['test/unit/placement', 'test/unit/leader', 'test/property/placement'],
  autoscaler: ['test/unit/autoscaler'],
};
const GOLDEN = 'test/golden/raft';
/** Situations that no seed draws, in the same simulator. */
const SCENARIOS = ['test/sim/newer-command.test.ts', 'test/sim/commit-index.test.ts'];

export function hasGolden(): boolean {
  const folder = join(ROOT, GOLDEN);
  return existsSync(folder) && readdirSync(folder).some((name) => name.endsWith('.test.ts'));
}

export function runCheck(
  check: CheckName,
  tests: readonly string[],
  workspace: string,
  budget: SimBudget = SEED_BUDGET,
): Promise<Verdict> {
  switch (check) {
    case 'golden':
      return hasGolden() ? runTests('golden', [GOLDEN], workspace) : Promise.resolve(PASSED);
    case 'tests':
      return runTests('tests', tests, workspace);
    case 'sim':
      return runSim(budget, workspace);
    default:
      return check satisfies never;
  }
}

const PASSED: Verdict = { kind: 'passed', seeds: 0 };

interface VitestReport {
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** `what` names the tests in the verdict. */
export async function runTests(what: string, paths: readonly string[], workspace: string): Promise<Verdict> {
  const verdict = await runVitest(what, paths, workspace, ['--bail', '1']);
  // A run that was cut short by its first failure may end red without a word of which test it was.
  if (verdict.kind !== 'invalid' || verdict.why !== '') return verdict;
  return runVitest(what, paths, workspace, []);
}

async function runVitest(
  what: string,
  paths: readonly string[],
  workspace: string,
  flags: readonly string[],
): Promise<Verdict> {
  // The unmutated tree is asked for several mutants at a time.
  const report = join(mkdtempSync(join(scratchOf(workspace), 'report-')), 'report.json');
  const ended = await runNode(
    [
      bin('vitest/vitest.mjs'),
      ...['run', '--project', 'logic', ...flags, '--maxWorkers', '1'],
      ...['--reporter', 'json', '--outputFile', report, ...paths],
    ],
    workspace,
    TESTS_LIMIT_MS,
    // What a killed test leaves behind goes with the copy.
    { TMPDIR: scratchOf(workspace) },
  );
  if (ended.code === 0) return PASSED;
  if (ended.timedOut)
    return { ...failed(`${what}: no end`, `not done after ${TESTS_LIMIT_MS / 1_000} s`), unended: paths };
  if (!existsSync(report)) return { kind: 'invalid', why: tail(ended) };
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as VitestReport;
  for (const { name, assertionResults } of testResults) {
    const broken = assertionResults.find(({ status }) => status === 'failed');
    if (broken !== undefined)
      return {
        ...failed(`${what}: ${broken.fullName}`, firstLine(broken.failureMessages.join('\n'))),
        file: relative(realpathSync(workspace), name),
      };
  }
  return { kind: 'invalid', why: firstLine(testResults.map(({ message }) => message).join('\n')) };
}

/** The cheap ones first. */
async function runSim({ quick, long }: SimBudget, workspace: string): Promise<Verdict> {
  const steps = [
    () => runSeeds(quick, workspace),
    () => runTests('sim scenario', SCENARIOS, workspace),
    () => runSeeds(long, workspace),
  ];
  let seeds = 0;
  for (const step of steps) {
    const verdict = await step();
    if (verdict.kind === 'invalid') return verdict;
    seeds += verdict.seeds;
    if (verdict.kind === 'failed') return { ...verdict, seeds };
  }
  return { kind: 'passed', seeds };
}

export async function runSeeds({ length, from, count }: SeedRange, workspace: string): Promise<Verdict> {
  const ended = await runNode(
    [
      ...['--import', 'tsx', 'test/mutants/seeds.ts'],
      ...['--length', length, '--from', String(from), '--count', String(count)],
    ],
    workspace,
    SEEDS_LIMIT_MS,
  );
  const lines = ended.stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as SeedLine);
  const seeds = lines.length;
  const last = lines.at(-1);
  if (last?.broken === true) return { kind: 'invalid', why: last.violation ?? '' };
  if (last?.violation !== undefined)
    return {
      ...failed(`sim: ${oracleOf(last.violation)}`, last.violation, seeds),
      seed: { length, from: last.seed, count: 1 },
    };
  if (ended.timedOut)
    return {
      ...failed('sim: no end', `seed ${from + seeds} does not end`, seeds + 1),
      seed: { length, from: from + seeds, count: 1 },
    };
  return seeds < count ? { kind: 'invalid', why: tail(ended) } : { kind: 'passed', seeds };
}

function failed(by: string, detail: string, seeds = 0): Extract<Verdict, { kind: 'failed' }> {
  return { kind: 'failed', by, detail, seeds, seed: undefined, file: undefined, unended: undefined };
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0]?.slice(0, 300) ?? '';
}

/** The last thing that it said. */
function tail({ stdout, stderr }: Ended): string {
  const lines = `${stdout}\n${stderr}`.trim().split('\n');
  return (lines.find((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1) ?? '').slice(0, 300);
}
