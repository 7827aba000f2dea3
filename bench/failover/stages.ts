/** From the fault to the first cold start of the new term, stage by stage. */
import { distribution, round, type Distribution } from '../lib/figures.ts';
import type { Story } from './records.ts';

/**
 * In order; `hello` and `demand` run side by side, and placement waits for the later of them.
 *
 *   detection  fault → the successor believes that the leader is gone
 *   campaign   → PreVote is asked (at once for the successor, after a grace for others)
 *   preVote    → a majority would vote
 *   vote       → elected; the votes are on disks
 *   noOp       → the no-op of the term is on a majority's disks, and applied
 *   beacon     → the data plane hears the new leader
 *   hello      no-op → the first worker's hello is at the leader
 *   demand     beacon → the first demand is at the leader
 *   placement  the later of both → the first create leaves
 *   start      → the sandbox is up, and the leader tells the data planes
 *   endpoint   → the data plane has it
 *   dispatch   → first byte at the caller
 */
export const STAGE_NAMES = [
  'detection',
  'campaign',
  'preVote',
  'vote',
  'noOp',
  'beacon',
  'hello',
  'demand',
  'placement',
  'start',
  'endpoint',
  'dispatch',
] as const;
export type StageName = (typeof STAGE_NAMES)[number];

/** Milliseconds; a stage that cannot be told is left out. */
export type Stages = Readonly<Partial<Record<StageName, number>>>;

/** What the data plane saw that served the first sandbox of the term; undefined: nobody waited for that one any more. */
export interface Served {
  readonly heardMs: number;
  readonly sandboxMs: number | undefined;
  readonly firstByteMs: number;
}

export function stagesOf(faultMs: number, { atMs }: Story, served: Served | undefined): Stages {
  const between = (from: number | undefined, to: number | undefined): number | undefined =>
    from === undefined || to === undefined || !Number.isFinite(to - from) ? undefined : round(to - from);
  const placeable = Math.max(atMs['hello'] ?? Number.NaN, atMs['demand'] ?? Number.NaN);
  const all: Record<StageName, number | undefined> = {
    detection: between(faultMs, atMs['gone']),
    campaign: between(atMs['gone'], atMs['campaign']),
    preVote: between(atMs['campaign'], atMs['candidacy']),
    vote: between(atMs['candidacy'], atMs['elected']),
    noOp: between(atMs['elected'], atMs['no-op']),
    beacon: between(atMs['no-op'], served?.heardMs),
    hello: between(atMs['no-op'], atMs['hello']),
    demand: between(served?.heardMs, atMs['demand']),
    placement: between(placeable, atMs['placed']),
    start: between(atMs['placed'], atMs['endpoint']),
    endpoint: between(atMs['endpoint'], served?.sandboxMs),
    dispatch: between(served?.sandboxMs, served?.firstByteMs),
  };
  return Object.fromEntries(Object.entries(all).filter(([, ms]) => ms !== undefined)) as Stages;
}

export function overall(rows: readonly { readonly stages: Stages }[]): Record<StageName, Distribution> {
  const of = (name: StageName): Distribution =>
    distribution(rows.flatMap(({ stages }) => stages[name] ?? []));
  return Object.fromEntries(STAGE_NAMES.map((name) => [name, of(name)])) as Record<StageName, Distribution>;
}
