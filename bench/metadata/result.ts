/** Rounds → the figures that are reported: medians over rounds, and whether they reach the targets. */
import type { FdatasyncFigures } from '../lib/fdatasync.ts';
import { median, overRounds, type Distribution } from '../lib/figures.ts';
import type { Machine } from '../lib/machine.ts';
import type { CpuPerOp, Measured } from './measure.ts';
import type { Round } from './round.ts';

/** Milliseconds, and registrations per second. */
export const TARGETS = { oneP50Ms: 4, grpcPerSecond: 1_500, leaderPerSecond: 5_000 } as const;

export interface Throughput {
  readonly perSecond: number;
  readonly latency: Distribution;
  /** Of all processes together, microseconds. */
  readonly cpuUsPerOp: number;
  readonly cpuUsPerOpBy: CpuPerOp;
}

export interface MetadataResult {
  readonly ok: boolean;
  readonly machine: Machine;
  readonly targets: typeof TARGETS;
  readonly fdatasync: FdatasyncFigures;
  readonly one: Distribution;
  readonly grpc64: Throughput;
  readonly leader: Throughput;
  readonly rows: readonly Round[];
}

function cpuOver(rounds: readonly Measured[]): CpuPerOp {
  const of = (name: keyof CpuPerOp): number => median(rounds.map(({ cpuUsPerOpBy }) => cpuUsPerOpBy[name]));
  return {
    leader: of('leader'),
    follower1: of('follower1'),
    follower2: of('follower2'),
    nats: of('nats'),
    client: of('client'),
  };
}

function throughput(rounds: readonly Measured[]): Throughput {
  const cpuUsPerOpBy = cpuOver(rounds);
  return {
    perSecond: median(rounds.map(({ perSecond }) => perSecond)),
    latency: overRounds(rounds.map(({ latency }) => latency)),
    cpuUsPerOp: Object.values<number>({ ...cpuUsPerOpBy }).reduce((sum, us) => sum + us, 0),
    cpuUsPerOpBy,
  };
}

export function resultOf(rows: readonly Round[], machine: Machine): MetadataResult {
  const one = overRounds(rows.map(({ one }) => one));
  const grpc64 = throughput(rows.map(({ grpc64 }) => grpc64));
  const leader = throughput(rows.map(({ leader }) => leader));
  const ok =
    one.p50 <= TARGETS.oneP50Ms &&
    grpc64.perSecond >= TARGETS.grpcPerSecond &&
    leader.perSecond >= TARGETS.leaderPerSecond;
  const fdatasync = {
    ...overRounds(rows.map(({ fdatasync }) => fdatasync)),
    perSecond: median(rows.map(({ fdatasync }) => fdatasync.perSecond)),
  };
  return { ok, machine, targets: TARGETS, fdatasync, one, grpc64, leader, rows };
}
