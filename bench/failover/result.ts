/** What a run came to, and what is promised of it. */
import { distribution, type Distribution } from '../lib/figures.ts';
import type { Machine } from '../lib/machine.ts';
import type { Hint } from './cluster.ts';
import type { FaultKind, FaultRow } from './fault.ts';
import type { LoadFigures } from './load.ts';
import type { TermSeen } from './records.ts';
import { overall, type StageName } from './stages.ts';

export interface Target {
  readonly p50?: number;
  readonly p99: number;
}

export interface Targets {
  readonly newLeaderMs: Target;
  readonly firstColdStartMs: Target | undefined;
}

export function targetsOf(kind: FaultKind, hints: readonly Hint[]): Targets {
  if (kind === 'pause') return { newLeaderMs: { p99: 1_000 }, firstColdStartMs: undefined };
  return hints.includes('advisory')
    ? { newLeaderMs: { p50: 30, p99: 150 }, firstColdStartMs: { p50: 60, p99: 250 } }
    : { newLeaderMs: { p50: 60, p99: 250 }, firstColdStartMs: undefined };
}

export interface FailoverResult {
  readonly ok: boolean;
  readonly fault: FaultKind;
  readonly hints: readonly Hint[];
  readonly seed: number;
  readonly kills: number;
  readonly newLeaderMs: Distribution;
  readonly firstColdStartMs: Distribution;
  readonly targets: Targets;
  readonly stages: Readonly<Record<StageName, Distribution>>;
  /** How many faults each source told of first. */
  readonly detectedBy: Readonly<Record<string, number>>;
  /** `detection` of each. */
  readonly detectionMs: Readonly<Record<string, Distribution>>;
  readonly requests: number;
  readonly warm: LoadFigures;
  readonly cold: LoadFigures;
  readonly warmFailures: number;
  readonly coldFailures: number;
  /** Cold calls that the sandbox of the call before answered. */
  readonly notCold: number;
  /** Terms that rose while a leader led that nobody harmed. */
  readonly falseElections: number;
  readonly termsWithoutLeader: number;
  /** Acts of workers and data planes, and how many were under a lower fence than one that they had acted under. */
  readonly fencedActs: number;
  readonly staleActs: number;
  /** Messages of deposed leaders that data planes refused. */
  readonly refusedMessages: number;
  /** All replicas have the same state at the end. */
  readonly oneState: boolean;
  readonly failures: readonly string[];
  readonly generatorLateMs: number;
  /** Of the machine's monotonic clock; `atMs` of a row counts from here. */
  readonly beganMs: number;
  readonly seconds: number;
  readonly loadAverage: number;
  /** 0 where the system does not let replicas come first. */
  readonly replicaNiceness: number;
  readonly machine: Machine;
  readonly rows: readonly FaultRow[];
}

export type Seen = Omit<
  FailoverResult,
  | 'ok'
  | 'kills'
  | 'newLeaderMs'
  | 'firstColdStartMs'
  | 'targets'
  | 'stages'
  | 'detectedBy'
  | 'detectionMs'
  | 'requests'
  | 'warmFailures'
  | 'coldFailures'
  | 'termsWithoutLeader'
>;

export function resultOf(seen: Seen): FailoverResult {
  const { rows, fault, hints, warm, cold } = seen;
  const causes = [...new Set(rows.map(({ cause }) => cause))];
  const by = (cause: string): readonly FaultRow[] => rows.filter((row) => row.cause === cause);
  const result = {
    ok: false,
    ...seen,
    kills: rows.length,
    newLeaderMs: distribution(rows.map(({ newLeaderMs }) => newLeaderMs)),
    firstColdStartMs: distribution(rows.map(({ firstColdStartMs }) => firstColdStartMs)),
    targets: targetsOf(fault, hints),
    stages: overall(rows),
    detectedBy: Object.fromEntries(causes.map((cause) => [cause, by(cause).length])),
    detectionMs: Object.fromEntries(
      causes.map((cause) => [cause, distribution(by(cause).flatMap(({ stages }) => stages.detection ?? []))]),
    ),
    requests: warm.sent + cold.sent,
    warmFailures: warm.failed,
    coldFailures: cold.failed,
    termsWithoutLeader: rows.reduce((sum, row) => sum + row.termsWithoutLeader, 0),
  };
  return { ...result, ok: holds(result) };
}

function holds(result: FailoverResult): boolean {
  const { newLeaderMs, firstColdStartMs, targets } = result;
  const wrong =
    result.warmFailures +
    result.coldFailures +
    result.falseElections +
    result.staleActs +
    Number(!result.oneState);
  const isLooked = result.fencedActs > 0 && result.kills > 0 && result.notCold * 100 <= result.cold.sent;
  return (
    wrong === 0 &&
    isLooked &&
    meets(newLeaderMs, targets.newLeaderMs) &&
    meets(firstColdStartMs, targets.firstColdStartMs)
  );
}

export function meets(seen: Distribution, target: Target | undefined): boolean {
  if (target === undefined) return true;
  return seen.n > 0 && seen.p50 <= (target.p50 ?? Infinity) && seen.p99 <= target.p99;
}

/**
 * Terms above a leader's that were seen after it led and before it was harmed. Stricter than "no fault in the two seconds before": an
 * election that the return of the lost replica would cause counts too.
 *
 * @param beganMs when the first leader was known to lead
 * @param rows `atMs` counts from `beganMs`
 */
export function falseElections(
  firstTerm: number,
  beganMs: number,
  rows: readonly FaultRow[],
  terms: readonly TermSeen[],
): number {
  const reigns = [
    { term: firstTerm, untilMs: beganMs + (rows[0]?.atMs ?? Infinity) },
    ...rows.map(({ term }, i) => ({ term, untilMs: beganMs + (rows[i + 1]?.atMs ?? Infinity) })),
  ];
  return terms.filter(({ term, atMs }) => {
    const reign = term > firstTerm ? reigns.findLast((one) => one.term < term) : undefined;
    return reign !== undefined && atMs < reign.untilMs;
  }).length;
}
