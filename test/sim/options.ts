/** One seed draws the topology, the timings and every fault with its moment. */
import { controlPlaneDefaults } from '../../src/control-plane/config.ts';
import { prng } from '../../src/lib/prng.ts';
import type { Delays } from './sim-bus.ts';

export type FaultKind =
  | 'crash-leader'
  | 'crash-replica'
  | 'stop-replica'
  | 'crash-worker'
  | 'crash-data-plane'
  | 'partition'
  | 'one-way-cut'
  | 'cut-worker'
  | 'cut-data-plane'
  | 'loss'
  | 'duplication'
  | 'slow-network'
  | 'transfer'
  | 'leader-disconnect'
  | 'replica-disconnect'
  | 'worker-disconnect'
  | 'data-plane-disconnect'
  | 'slow-disk'
  | 'full-disk'
  | 'failing-sync'
  | 'damaged-disk'
  | 'lost-disk'
  | 'crash-on-sync'
  | 'pause-leader'
  | 'pause-replica'
  | 'pause-worker'
  | 'pause-data-plane'
  | 'slow-link'
  | 'clock-jump';

/** Whom it hits, and for how long, comes from its own salt: leaving one fault out changes no other. */
export interface Fault {
  readonly atMs: number;
  readonly kind: FaultKind;
  readonly salt: number;
}

/** Of every replica; see ControlPlaneConfig. */
export interface Timing {
  readonly electionTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly tickMs: number;
  readonly probeMs: number;
  readonly advisories: boolean;
  readonly snapshotEvery: number;
  /** Monotonic clocks run this much ahead or behind at most, in parts of a thousand. */
  readonly driftPerMille: number;
}

export interface SimOptions {
  readonly seed: number;
  readonly replicas: number;
  readonly dataPlanes: number;
  readonly workers: number;
  readonly functions: number;
  /** Clients that register, delete and read, for the linearizability checker. */
  readonly registrars: number;
  /** Mean start latency of a sandbox. */
  readonly startMs: number;
  /** Mean pause between two operations of a registrar. */
  readonly operateEveryMs: number;
  /** Mean pause between two calls of a function. */
  readonly callEveryMs: number;
  readonly faultyMs: number;
  readonly schedule: readonly Fault[];
  readonly timing: Timing;
  readonly delays: Delays;
  /** Plants the bug that an fsync is believed too early, to show that the oracles see it. */
  readonly lyingDisks: boolean;
}

const OTHERS: readonly FaultKind[] = [
  'crash-replica',
  'stop-replica',
  'transfer',
  'crash-on-sync',
  'pause-leader',
  'pause-replica',
  'pause-worker',
  'pause-data-plane',
  'slow-link',
  'clock-jump',
  'crash-worker',
  'crash-data-plane',
  'partition',
  'one-way-cut',
  'cut-worker',
  'cut-data-plane',
  'loss',
  'duplication',
  'slow-network',
  'leader-disconnect',
  'replica-disconnect',
  'worker-disconnect',
  'data-plane-disconnect',
  'slow-disk',
  'full-disk',
  'failing-sync',
  'damaged-disk',
  'lost-disk',
];

export type Length = 'quick' | 'long';

export function drawOptions(seed: number, length: Length = 'quick'): SimOptions {
  const random = prng(`options/${seed}`);
  const isLong = length === 'long';
  const faultyMs = isLong ? 300_000 : 3_000 + random.below(2_500);
  const everyMs = isLong ? 2_500 + random.below(2_500) : 400 + random.below(900);
  // A run without a killed leader shows nothing about what this is for.
  const kinds = [
    'crash-leader' as const,
    'crash-leader' as const,
    ...OTHERS.filter(() => random.below(2) === 0),
  ];
  return {
    seed,
    replicas: random.below(isLong ? 8 : 5) === 0 ? 5 : 3,
    dataPlanes: 1 + random.below(2),
    workers: 2 + random.below(isLong ? 2 : 3),
    functions: isLong ? 1 + random.below(2) : 2 + random.below(3),
    registrars: 2 + random.below(3),
    startMs: 5 + random.below(40),
    operateEveryMs: isLong ? 1_000 : 550,
    callEveryMs: isLong ? 400 : 50,
    faultyMs,
    schedule: drawSchedule(prng(`schedule/${seed}`), kinds, faultyMs, everyMs),
    timing: drawTiming(prng(`timing/${seed}`), isLong),
    delays: drawDelays(prng(`delays/${seed}`)),
    lyingDisks: false,
  };
}

/** What a long run costs is mostly its ticks, turns and heartbeats, so it is more often of the slower kind. */
function drawTiming(random: ReturnType<typeof prng>, isLong: boolean): Timing {
  const pick = <T>(...choices: readonly T[]): T => choices[random.below(choices.length)] as T;
  const { electionTimeoutMs, probeMs, snapshotEvery, tickMs } = controlPlaneDefaults;
  const timeoutMs = isLong
    ? pick(electionTimeoutMs, 500, 500, 1_000)
    : pick(electionTimeoutMs, electionTimeoutMs, 200, 500);
  const ticks = electionTimeoutMs / tickMs;
  return {
    electionTimeoutMs: timeoutMs,
    heartbeatMs: Math.round(timeoutMs / 6),
    tickMs: isLong
      ? Math.round(timeoutMs / pick(ticks, ticks / 3, ticks / 3, ticks / 3))
      : pick(tickMs, 2 * tickMs, 2 * tickMs),
    probeMs: isLong ? pick(probeMs, 100, 0, 0, 0) : pick(probeMs, 2 * probeMs, 100, 0),
    advisories: pick(true, true, false),
    snapshotEvery: pick(snapshotEvery, 100, 20),
    driftPerMille: pick(0, 2, 20),
  };
}

function drawDelays(random: ReturnType<typeof prng>): Delays {
  const pick = <T>(...choices: readonly T[]): T => choices[random.below(choices.length)] as T;
  return {
    baseMs: pick(0.15, 0.15, 0.05, 1),
    spreadMs: pick(0.5, 0.5, 0.2, 2),
    tail: pick('even', 'exponential'),
    outlierPerMille: pick(5, 5, 0, 20),
    outlierMs: pick(45, 45, 120),
  };
}

function drawSchedule(
  random: ReturnType<typeof prng>,
  kinds: readonly FaultKind[],
  untilMs: number,
  everyMs: number,
): Fault[] {
  const schedule: Fault[] = [];
  for (let atMs = everyMs; atMs < untilMs; atMs += everyMs * (0.5 + random.float())) {
    const kind = kinds[random.below(kinds.length)];
    if (kind !== undefined) schedule.push({ atMs: Math.round(atMs), kind, salt: random.uint32() });
  }
  return schedule;
}
