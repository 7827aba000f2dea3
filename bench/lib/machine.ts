/** What a figure was measured on, and what a process used of it. Linux: everything comes from /proc. */
import { readFileSync, realpathSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { round } from './figures.ts';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  /** Of the directory in which the replicas keep their logs: a tmpfs makes every fsync free. */
  readonly fileSystem: string;
}

export function describeMachine(directory: string): Machine {
  const all = cpus();
  return {
    cpu: all[0]?.model ?? 'unknown',
    cores: all.length,
    memoryGiB: round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.versions.node,
    fileSystem: fileSystemOf(directory),
  };
}

/** Of the last minute. */
export const loadAverage = (): number => round(loadavg()[0] ?? 0);

function fileSystemOf(directory: string): string {
  const path = `${realpathSync(directory)}/`;
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .map(([, at = '', type = '']) => ({ at: at.endsWith('/') ? at : `${at}/`, type }))
    .filter(({ at, type }) => type !== '' && path.startsWith(at));
  return mounts.toSorted((a, b) => b.at.length - a.at.length)[0]?.type ?? 'unknown';
}

/** USER_HZ is 100 on every Linux that runs Node. */
const TICK_US = 10_000;

/** utime + stime of a process, microseconds; proc(5). @throws when it has ended */
export function cpuUs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in parentheses may hold anything; state, the third field, follows it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
}

/** CPU of each process over one stretch of work. */
export class CpuMeter<Name extends string> {
  readonly #pids: readonly (readonly [Name, number])[];
  readonly #before: readonly number[];

  constructor(pids: Readonly<Record<Name, number>>) {
    this.#pids = Object.entries<number>(pids) as [Name, number][];
    this.#before = this.#pids.map(([, pid]) => cpuUs(pid));
  }

  /** Microseconds per operation since the meter was made. */
  perOperation(operations: number): Record<Name, number> {
    return this.#used(Math.max(1, operations));
  }

  /** Milliseconds since the meter was made. */
  total(): Record<Name, number> {
    return this.#used(1_000);
  }

  #used(divisor: number): Record<Name, number> {
    const used = this.#pids.map(([name, pid], i) => {
      const us = cpuUs(pid) - (this.#before[i] ?? 0);
      return [name, Math.round(us / divisor)] as const;
    });
    return Object.fromEntries(used) as Record<Name, number>;
  }
}
