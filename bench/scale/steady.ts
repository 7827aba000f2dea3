/** What a fleet costs its leader while nothing changes. */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { round } from '../lib/figures.ts';
import { cpuUs } from '../lib/machine.ts';
import type { Fleet } from './fleet.ts';
import { total } from './metrics.ts';

export interface SteadyFigures {
  /** Of one core, utime and stime of the leader's process. */
  readonly leaderCpuPct: number;
  readonly leaderRssMiB: number;
  readonly heartbeatsPerSecond: number;
}

const SETTLE_MS = 5_000;

export async function measureSteady(fleet: Fleet, seconds: number): Promise<SteadyFigures> {
  await delay(SETTLE_MS);
  const leader = await fleet.replicas.leader();
  const pid = fleet.pidOf(leader.id);
  const reports = async (): Promise<number> =>
    total(await fleet.leaderMetrics(), 'baton_received_messages{kind="heartbeat"}');
  const [reportsBefore, cpuBefore, beganMs] = [await reports(), cpuUs(pid), performance.now()];
  await delay(seconds * 1_000);
  const tookMs = performance.now() - beganMs;
  const cpu = cpuUs(pid) - cpuBefore;
  return {
    leaderCpuPct: round((100 * cpu) / 1_000 / tookMs),
    leaderRssMiB: Math.round(rssMiB(pid)),
    heartbeatsPerSecond: Math.round(((await reports()) - reportsBefore) / (tookMs / 1_000)),
  };
}

/** proc(5), VmRSS. */
function rssMiB(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1] ?? 0) / 1_024;
}
