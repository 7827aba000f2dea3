/** What fails under a mutant is looked at a second time where the mutant is not: only a difference counts. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Verdict } from '../../mutants/checks.ts';
import { Baseline, failsWithout } from '../../mutants/hunt.ts';
import type { Mutant } from '../../mutants/mutant.ts';
import { copyTree, removeAllWorkspaces } from '../../mutants/workspace.ts';

afterEach(removeAllWorkspaces);

const PASSED: Verdict = { kind: 'passed', seeds: 0 };
const TESTS = ['test/unit/raft', 'test/property/raft'];

const mutant: Mutant = {
  id: 'm',
  group: 'raft',
  title: 'nothing',
  source: 'own',
  edits: [],
  checks: ['tests'],
};

type Failed = Extract<Verdict, { kind: 'failed' }>;

const failed = (by: string, change: Partial<Failed>): Failed => ({
  kind: 'failed',
  by,
  detail: '',
  seeds: 0,
  seed: undefined,
  file: undefined,
  unended: undefined,
  ...change,
});
const NO_END = failed('tests: no end', { unended: TESTS });

/** An unmutated tree that comes to this, whatever is asked of it. */
function baselineThat(verdict: Verdict, workspace = 'unmutated') {
  const runSeeds = vi.fn<() => Promise<Verdict>>().mockResolvedValue(verdict);
  const runTests = vi
    .fn<(what: string, paths: readonly string[], workspace: string) => Promise<Verdict>>()
    .mockResolvedValue(verdict);
  return { baseline: new Baseline(workspace, { runSeeds, runTests }), runSeeds, runTests };
}

describe('tests that do not end under a mutant', () => {
  it('show nothing when they do not end without it', async () => {
    const { baseline } = baselineThat(NO_END);
    expect(await failsWithout(NO_END, mutant, baseline)).toBe('tests: no end:');
  });

  it('are run without it once for each set of them', async () => {
    const { baseline, runTests } = baselineThat(PASSED);
    const verdicts = await Promise.all([1, 2].map(() => failsWithout(NO_END, mutant, baseline)));
    expect(verdicts).toEqual([undefined, undefined]);
    expect(runTests.mock.calls).toEqual([['tests', TESTS, 'unmutated']]);
    await failsWithout({ ...NO_END, unended: TESTS.slice(1) }, mutant, baseline);
    expect(runTests).toHaveBeenCalledTimes(2);
  });

  it('are run under the conditions of the mutant', { timeout: 120_000 }, async () => {
    const { baseline, runTests } = baselineThat(PASSED, copyTree());
    const condition = {
      file: 'src/core/raft/state.ts',
      find: 'const waits = ',
      replace: 'const  waits = ',
    };
    await failsWithout(NO_END, { ...mutant, conditions: [condition] }, baseline);
    expect(runTests.mock.calls[0]?.[2]).toMatch(/baton-mutant-conditions-/);
  });
});

describe('a seed that fails under a mutant', () => {
  const verdict = failed('sim: R6', { seed: { length: 'quick', from: 9, count: 1 } });

  it('shows nothing when it fails without it', async () => {
    expect(await failsWithout(verdict, mutant, baselineThat(verdict).baseline)).toBe('quick seed 9');
  });

  it('is run without it once', async () => {
    const { baseline, runSeeds, runTests } = baselineThat(PASSED);
    for (let i = 0; i < 2; i++) expect(await failsWithout(verdict, mutant, baseline)).toBe(undefined);
    expect(runSeeds).toHaveBeenCalledTimes(1);
    expect(runTests).not.toHaveBeenCalled();
  });
});

it('a test that failed has nothing to confirm here', async () => {
  const { baseline, runTests } = baselineThat(NO_END);
  expect(await failsWithout(failed('tests: a vote', { file: 'a.test.ts' }), mutant, baseline)).toBe(
    undefined,
  );
  expect(runTests).not.toHaveBeenCalled();
});
