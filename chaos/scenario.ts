/** What a scenario is given, and what it hands back. */
import type { Prng } from '../src/lib/prng.ts';
import type { Distribution } from './histories/history.ts';
import type { DiskFault, Strike } from './nemesis.ts';
import type { Stage } from './stage.ts';

export interface ScenarioOptions {
  readonly seed: number;
  readonly kills: number;
  /** Undefined: as the scenario draws them. */
  readonly disks?: readonly DiskFault[];
}

export interface ScenarioWorld {
  readonly stage: Stage;
  readonly options: ScenarioOptions;
  readonly random: Prng;
  /** Shown while the run goes on. */
  progress(line: string): void;
}

export interface Verdict {
  readonly ok: boolean;
  readonly what: string;
}

export interface ScenarioResult {
  readonly operations: number;
  readonly kills: number;
  readonly leaderChanges: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly verdicts: Readonly<Record<string, Verdict>>;
  readonly lostRegistrations: number;
  readonly unknownOutcomes: number;
  readonly retriedOperations: number;
  /** Calls that brought no outcome, by error code. */
  readonly failedCalls: Readonly<Record<string, number>>;
  /** Milliseconds, of answered operations, retries included. */
  readonly latencyMs: Readonly<Record<string, Distribution>>;
  readonly rows: readonly Strike[];
  /** SVG by name: what no single copy could have produced. */
  readonly pictures: ReadonlyMap<string, string>;
}

export interface Scenario {
  readonly name: string;
  readonly about: string;
  play(world: ScenarioWorld): Promise<ScenarioResult>;
}
