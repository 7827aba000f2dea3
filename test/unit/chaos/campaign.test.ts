/** Many runs: which are played, what is written after each, and what is gone on from. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { campaign, planRuns } from '../../../chaos/campaign.ts';
import { parseOptions } from '../../../chaos/options.ts';
import { Progress } from '../../../chaos/progress.ts';
import type { RunRow } from '../../../chaos/results.ts';
import type { RunOptions, RunResult } from '../../../chaos/runner.ts';
import type { Scenario } from '../../../chaos/scenario.ts';
import { BatonError } from '../../../src/lib/errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'baton-unit-campaign-'));
const file = join(folder, 'deep', 'results.json');
beforeEach(() => {
  rmSync(join(folder, 'deep'), { recursive: true, force: true });
  mkdirSync(join(folder, 'deep'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const scenario = (name: string): Scenario => ({
  name,
  about: name,
  plan: {},
  play: () => Promise.reject(new Error('nobody plays here')),
});
const scenarios = ['rain', 'storm'].map(scenario);

type Outcome = 'good' | 'bad' | Error;

/** Plays nothing: comes to this, by scenario and seed. */
async function play(
  argv: string,
  outcome: (name: string, seed: number) => Outcome,
  commit = 'abc1234',
): Promise<Played> {
  const options = parseOptions(argv.split(' '), ['rain', 'storm'], 1);
  const played: string[] = [];
  const asked: RunOptions[] = [];
  const said: string[] = [];
  const written: number[] = [];
  const running = campaign(options, planRuns(options, scenarios), {
    run: async ({ name }, runOptions) => {
      const { seed } = runOptions;
      played.push(`${name} ${seed}`);
      asked.push(runOptions);
      const came = outcome(name, seed);
      if (came instanceof Error) throw came;
      return result(name, seed, came === 'good');
    },
    signal: new AbortController().signal,
    commit,
    progress: new Progress(process.stderr),
    say: (line) => said.push(line),
    onRow: ({ rows }) => written.push(rows.length),
  });
  const ok = await running.catch((error: unknown) => error);
  return { ok, played, asked, said, written };
}

interface Played {
  readonly ok: unknown;
  readonly played: readonly string[];
  readonly asked: readonly RunOptions[];
  readonly said: readonly string[];
  readonly written: readonly number[];
}

function result(name: string, seed: number, ok: boolean): RunResult {
  return {
    ok,
    scenario: name,
    seed,
    wallSeconds: 2,
    keptIn: undefined,
    verdicts: { wet: { ok, what: ok ? 'dripping' : 'dry' }, windy: { ok: true, what: 'yes' } },
    faults: { cloud: 2 },
    leaderChanges: 3,
    steps: [{ drops: 7 }],
    figures: { puddles: seed },
    summary: ['it rained'],
    timeline: { binMs: 100, endMs: 200, served: [1], failed: [0], worstMs: [2], leaders: [], faults: [] },
    pictures: new Map(),
  };
}

interface Written {
  readonly [key: string]: unknown;
  readonly rows: readonly RunRow[];
}
const written = (): Written => JSON.parse(readFileSync(file, 'utf8')) as Written;

describe('many runs', () => {
  it('are each scenario with each seed, and a row each', async () => {
    const { ok, played, said } = await play(`--all --seeds 2 --json ${file}`, () => 'good');
    expect(ok).toBe(true);
    expect(played).toEqual(['rain 1', 'rain 2', 'storm 1', 'storm 2']);
    const { rows, ...all } = written();
    expect(all).toEqual({
      ok: true,
      planned: 4,
      runs: 4,
      failed: 0,
      faults: { cloud: 8 },
      leaderChanges: 12,
      wallSeconds: 8,
    });
    expect(rows[1]).toEqual({
      scenario: 'rain',
      seed: 2,
      ok: true,
      verdicts: { wet: { ok: true, what: 'dripping' }, windy: { ok: true, what: 'yes' } },
      faults: { cloud: 2 },
      leaderChanges: 3,
      wallSeconds: 2,
      command: 'npm run chaos -- --scenario rain --seed 2 --seeds 1',
      commit: 'abc1234',
      puddles: 2,
      steps: [{ drops: 7 }],
      pictures: [],
      timeline: result('rain', 2, true).timeline,
    });
    expect(said.at(-1)).toBe('4 of 4 runs good');
  });

  it('go on after one that is bad, and one that broke; all are told with their commands', async () => {
    const broken = new BatonError('unavailable', 'no cloud', { hint: 'look up' });
    const { ok, played, said } = await play(`--all --seeds 2 --json ${file}`, (name, seed) =>
      name === 'storm' ? 'good' : seed === 1 ? 'bad' : broken,
    );
    expect(ok).toBe(false);
    expect(played).toHaveLength(4);
    const { rows, ...all } = written();
    expect(all).toMatchObject({ ok: false, runs: 4, failed: 2 });
    expect(rows[0]).toMatchObject({ ok: false, verdicts: { wet: { ok: false, what: 'dry' } } });
    expect(rows[1]).toMatchObject({
      ok: false,
      verdicts: { run: { what: 'no cloud — look up' } },
      faults: {},
    });
    expect(said).toContain('  ✗ wet: dry');
    expect(said.slice(-3)).toEqual([
      '2 of 4 runs good',
      '✗ npm run chaos -- --scenario rain --seed 1 --seeds 1',
      '✗ npm run chaos -- --scenario rain --seed 2 --seeds 1',
    ]);
  });

  it('are written after each, and an interruption leaves what was played', async () => {
    const { ok, written: after } = await play(`--all --seeds 2 --json ${file}`, (name) =>
      name === 'rain' ? 'good' : new BatonError('canceled', 'enough'),
    );
    expect(ok).toMatchObject({ code: 'canceled' });
    expect(after).toEqual([1, 2]);
    expect(written()).toMatchObject({ ok: false, planned: 4, runs: 2, failed: 0 });
    expect(readdirSync(join(folder, 'deep'))).toEqual(['results.json']);
  });

  it('each have a directory of their own', async () => {
    const { asked } = await play('--all --dir there --minutes 2', () => 'good');
    expect(asked.map(({ directory }) => directory)).toEqual(['there/rain-1', 'there/storm-1']);
    expect(asked[0]).toMatchObject({ faultsMs: 120_000, count: undefined, isShort: false });
  });
});

describe('a single run', () => {
  it('tells everything', async () => {
    const { said } = await play('--scenario rain --dir there', () => 'good');
    expect(said).toEqual([
      '3 leader changes in 2 s; faults {"cloud":2}',
      'it rained',
      '✓ wet: dripping',
      '✓ windy: yes',
    ]);
  });

  it('whose results have no place are not begun', async () => {
    const nowhere = join(folder, 'none', 'results.json');
    const { ok, played } = await play(`--scenario rain --json ${nowhere}`, () => 'good');
    expect(ok).toMatchObject({ code: 'invalid-argument', fields: { path: '--json' } });
    expect(played).toEqual([]);
    expect(existsSync(join(folder, 'none'))).toBe(false);
  });

  it('on a directory that is in use is wrong usage, and no row', async () => {
    const inUse = new BatonError('already-exists', 'in use', { fields: { path: '--dir' } });
    const { ok } = await play('--scenario rain --dir there', () => inUse);
    expect(ok).toBe(inUse);
  });
});

describe('resuming', () => {
  const [begin, resume] = [`--all --seeds 2 --json ${file}`, `--all --seeds 2 --resume --json ${file}`];

  it('plays what is missing and what was not good, and keeps the rest', async () => {
    await play(begin, (name, seed) =>
      name === 'rain' ? (seed === 1 ? 'bad' : 'good') : new BatonError('canceled', 'enough'),
    );
    const { ok, played, said } = await play(resume, () => 'good');
    expect(played).toEqual(['rain 1', 'storm 1', 'storm 2']);
    expect(ok).toBe(true);
    expect(said[0]).toBe('1 of 4 runs were good before');
    expect(written()).toMatchObject({ ok: true, planned: 4, runs: 4, failed: 0 });
    expect(written().rows.map(({ scenario: name, seed }) => `${name} ${seed}`)).toEqual([
      'rain 1',
      'rain 2',
      'storm 1',
      'storm 2',
    ]);
  });

  it('has nothing to do when all are good', async () => {
    await play(begin, () => 'good');
    const { ok, played } = await play(resume, () => 'bad');
    expect([ok, played]).toEqual([true, []]);
  });

  it('plays again what other code came to, or what was in no commit; runs that were not asked for stay', async () => {
    await play(`--scenario rain --seed 9 --json ${file}`, () => 'good');
    for (const [then, now] of [
      ['abc1234', 'def5678'],
      ['abc1234-dirty', 'abc1234-dirty'],
      ['unknown', 'unknown'],
    ]) {
      await play(resume, () => 'good', then);
      const { ok, played, said } = await play(resume, () => 'good', now);
      expect([ok, played.length]).toEqual([true, 4]);
      expect(said[0]).toBe('4 runs were good on other code, or on what is in no commit: played again');
      expect(written()).toMatchObject({ ok: true, planned: 4, runs: 5 });
    }
  });

  it('leaves the directory of an earlier try where it is', async () => {
    const there = join(folder, 'deep', 'runs');
    for (const name of ['rain-1', 'rain-1-2', 'storm-1']) mkdirSync(join(there, name), { recursive: true });
    for (const name of ['rain-1', 'rain-1-2']) writeFileSync(join(there, name, 'log'), '');
    const { asked } = await play(`--all --dir ${there}/ --resume --json ${file}`, () => 'good');
    expect(asked.map(({ directory }) => directory)).toEqual([
      join(there, 'rain-1-3'),
      join(there, 'storm-1'),
    ]);
    const single = await play(
      `--scenario rain --dir ${there}/ --resume --json ${file}`,
      () => 'good',
      'def5678',
    );
    expect(single.asked.map(({ directory }) => directory)).toEqual([`${there}-2`]);
  });

  it('begins where there is no file yet; without it the file is written anew', async () => {
    expect((await play(resume, () => 'good')).played).toHaveLength(4);
    expect((await play(begin, () => 'good')).played).toHaveLength(4);
  });

  it('takes a run that was asked for less as another run', async () => {
    await play(`--scenario rain --seeds 1 --json ${file}`, () => 'good');
    const longer = `--scenario rain --seed 1 --minutes 3 --resume --json ${file}`;
    expect((await play(longer, () => 'good')).played).toEqual(['rain 1']);
    expect(written().rows).toHaveLength(2);
  });

  it.each([
    ['not JSON', 'no results'],
    ['{"rows": [{"scenario": "rain"}]}', 'rows.0.seed'],
    ['[]', 'no results'],
  ])('from %s is refused, and the file is left alone', async (text, message) => {
    await play(begin, () => 'good');
    writeFileSync(file, text);
    const { ok, played } = await play(resume, () => 'good');
    expect(ok).toMatchObject({ code: 'invalid-argument', fields: { path: '--json' } });
    expect((ok as Error).message).toContain(message);
    expect(played).toEqual([]);
    expect(readFileSync(file, 'utf8')).toBe(text);
  });
});
