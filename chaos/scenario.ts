/** What a scenario is given, and what it hands back. */
import type { Prng } from '../src/lib/prng.ts';
import type { Timeline } from './histories/chronicle.ts';
import type { DiskFault } from './nemesis.ts';
import type { Stage, StagePlan } from './stage.ts';
import type { Verdict } from './verifiers/verdict.ts';

export interface ScenarioOptions {
  readonly seed: number;
  /** How many strikes, rounds or kills; undefined: the scenario's own, or as many as there is time for. */
  readonly count?: number | undefined;
  /** How long faults go on; undefined: not by time, where the scenario has no time of its own. */
  readonly faultsMs?: number | undefined;
  /** One of many runs: at most twenty seconds of faults, where neither is given. */
  readonly isShort?: boolean | undefined;
  readonly disks?: readonly DiskFault[] | undefined;
}

export interface ScenarioWorld {
  readonly stage: Stage;
  readonly options: ScenarioOptions;
  readonly random: Prng;
  /** Shown while the run goes on. */
  progress(line: string): void;
}

export interface ScenarioResult {
  readonly verdicts: Readonly<Record<string, Verdict>>;
  /** How many of each kind. */
  readonly faults: Readonly<Record<string, number>>;
  readonly leaderChanges: number;
  /** The scenario's own: its rounds, say. Undefined: it has nothing to tell beside its faults. */
  readonly steps?: readonly object[];
  /** The scenario's own, beside these in the JSON. */
  readonly figures: Readonly<Record<string, unknown>>;
  /** Lines for people. */
  readonly summary: readonly string[];
  readonly timeline: Timeline;
  /** SVG by name: what no single copy could have produced. */
  readonly pictures: ReadonlyMap<string, string>;
}

export interface Scenario {
  readonly name: string;
  readonly about: string;
  /** What it plays on, where that is not the default. */
  readonly plan: Partial<StagePlan>;
  /** Brings in what it needs and other scenarios do not. @throws BatonError that says how to get it */
  readonly prepare?: (progress: (line: string) => void) => Promise<void>;
  play(world: ScenarioWorld): Promise<ScenarioResult>;
}
