/** What failed once does not fail again: see seeds.ts. */
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { roughen } from '../../mutants/rough.ts';
import { drawOptions } from '../options.ts';
import { simulate } from '../run.ts';
import { FAILED_SEEDS } from './seeds.ts';

test.each(FAILED_SEEDS)(
  'seed $seed ($length): $showed',
  { timeout: 120_000 },
  async ({ seed, length, rough, keptBy }) => {
    const drawn = drawOptions(seed, length);
    const { violations, story } = await simulate(seed, rough === true ? roughen(drawn) : drawn);
    expect(violations, story.join('\n')).toEqual([]);
    expect(keptBy === undefined || existsSync(keptBy)).toBe(true);
  },
);
