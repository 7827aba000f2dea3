/** The hunt itself, on a few mutants that are caught soon: one check of each kind says yes, and no where there is nothing to catch. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { mutants } from './catalogue.ts';
import { Baseline, hunt } from './hunt.ts';
import type { CheckName, Mutant } from './mutant.ts';
import { removeWorkspace } from './workspace.ts';

const LIMIT = { timeout: 240_000 };

let baseline: Baseline;
beforeAll(() => {
  baseline = new Baseline();
});
afterAll(() => removeWorkspace(baseline.workspace));

function asked(id: string, check: CheckName): Mutant {
  const found = mutants.find((one) => one.id === id);
  if (found === undefined) throw new Error(`there is no mutant ${id}`);
  return { ...found, checks: [check] };
}

it.each([
  ['votes-without-ids', 'golden'],
  ['log-not-synced', 'sim'],
  ['port-used-again-at-once', 'tests'],
] as const)('catches %s by %s', LIMIT, async (id, check) => {
  const row = await hunt(asked(id, check), baseline);
  expect(row).toMatchObject({ id, caught: true, by: expect.stringMatching(`^${check}:`) as unknown });
});

it('catches nothing where a patch changes nothing', LIMIT, async () => {
  const edit = { file: 'src/core/raft/state.ts', find: 'const waits = ', replace: 'const  waits = ' };
  const row = await hunt({ ...asked('reply-before-vote', 'golden'), edits: [edit] }, baseline);
  expect(row).toMatchObject({ caught: false });
});
