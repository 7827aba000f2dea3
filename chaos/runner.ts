/** One run: a cluster, a scenario on it, the verdicts, and nothing left behind. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BatonError, isBatonError } from '../src/lib/errors.ts';
import { prng } from '../src/lib/prng.ts';
import type { Scenario, ScenarioOptions, ScenarioResult } from './scenario.ts';
import { Stage, stageDefaults } from './stage.ts';
import type { Verdict } from './verifiers/verdict.ts';

const HEAR_SIGNAL_MS = 50;

export interface RunOptions extends ScenarioOptions {
  /** Undefined: a temporary one, removed when all went well. */
  readonly directory: string | undefined;
}

export interface RunResult extends ScenarioResult {
  readonly ok: boolean;
  readonly scenario: string;
  readonly seed: number;
  readonly wallSeconds: number;
  /** Where logs and disks are kept; undefined when there was no reason to. */
  readonly keptIn: string | undefined;
}

/**
 * @param signal ends the run early; its processes are stopped all the same
 * @throws BatonError `canceled` after an interruption, and what kept the cluster from starting
 */
export async function run(
  scenario: Scenario,
  options: RunOptions,
  signal: AbortSignal,
  progress: (line: string) => void,
): Promise<RunResult> {
  const beganMs = performance.now();
  const isTemporary = options.directory === undefined;
  const directory = resolve(options.directory ?? mkdtempSync(join(tmpdir(), 'baton-chaos-')));
  // Before anything that would be cleaned up: a cluster that is already there is not ours to stop.
  demandEmpty(directory);
  let stage: Stage | undefined;
  let played: ScenarioResult | undefined;
  let left: string[] = [];
  try {
    stage = await Stage.open(directory, { ...stageDefaults, ...scenario.plan }, signal, progress);
    const random = prng(options.seed);
    played = await scenario.play({ stage, options, random, progress });
  } catch (error) {
    // An interruption also ends children that are just being started, and what they were for fails before we hear of it.
    await delay(HEAR_SIGNAL_MS);
    if (!signal.aborted || isBatonError(error, 'canceled')) throw error;
    throw new BatonError('canceled', 'the run was interrupted', { cause: error });
  } finally {
    progress('stopping the cluster …');
    left = await Stage.close(directory, stage);
    if (played === undefined && isTemporary) rmSync(directory, { recursive: true, force: true });
  }
  const processes: Verdict = { ok: left.length === 0, what: left.join('; ') || 'none left' };
  const verdicts = { ...played.verdicts, processes };
  const ok = Object.values(verdicts).every((verdict) => verdict.ok);
  if (ok && isTemporary) rmSync(directory, { recursive: true, force: true });
  return {
    ...played,
    ok,
    scenario: scenario.name,
    seed: options.seed,
    verdicts,
    wallSeconds: Math.round((performance.now() - beganMs) / 100) / 10,
    keptIn: ok && isTemporary ? undefined : directory,
  };
}

function demandEmpty(directory: string): void {
  mkdirSync(directory, { recursive: true });
  if (readdirSync(directory).length === 0) return;
  throw new BatonError('already-exists', `--dir: ${directory} is not empty`, {
    fields: { path: '--dir' },
    hint: 'name a directory that is empty or not there yet',
  });
}
