/** `npm run sim` answers one question at a time, and leaves no flag out in silence. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const program = fileURLToPath(new URL('../../sim/main.ts', import.meta.url));

it.each([
  ['--regressions --json x.json', '--json goes with --seed or --seeds, not with --regressions'],
  ['--seeds 3 --story', '--story goes with --seed, not with --seeds'],
  ['--seed 3 --from 2', '--from goes with --seeds, not with --seed'],
  ['--seed 3 --seeds 2', '--seed and --seeds: give one of them'],
  ['--resume', '--resume goes with --seeds, not with --seed'],
])('%s: %s', (given, said) => {
  const { status, stderr } = spawnSync(process.execPath, ['--import', 'tsx', program, ...given.split(' ')], {
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({ status: 2, stderr: `sim: ${said}\n` });
});
