/** What the system says about processes: what they hold, whether they are stopped, and what of a cluster is left. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Usage } from './verifiers/resources.ts';

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly state: string;
}

/** Undefined: it ended while we looked. */
function read(pid: number | string, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined;
  }
}

function processes(): Process[] {
  return readdirSync('/proc').flatMap((name) => {
    const stat = /^\d+$/.test(name) ? read(name, 'stat') : undefined;
    if (stat === undefined) return [];
    // The name in parentheses may hold anything.
    const [state = '', parent = '0'] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' ? [] : [{ pid: Number(name), parent: Number(parent), state }];
  });
}

export function isStopped(pid: number): boolean {
  return processes().find((one) => one.pid === pid)?.state === 'T';
}

/** Undefined: there is no such process. */
export function usageOf(pid: number): Usage | undefined {
  const status = read(pid, 'status');
  if (status === undefined) return undefined;
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
  const links = descriptors(pid);
  const listening = listeningInodes(pid);
  return {
    rssMiB: Math.round(field('VmRSS') / 1_024),
    threads: field('Threads'),
    fds: links.length,
    ports: links.filter((link) => listening.has(link)).length,
    processes: family(pid),
  };
}

/** What the next thing that it opens gets. */
export function firstFreeDescriptor(pid: number): number {
  const open = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  let free = 0;
  while (open.has(free)) free++;
  return free;
}

function descriptors(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}

/** As descriptors name them. */
function listeningInodes(pid: number): Set<string> {
  const LISTEN = '0A';
  const lines = ['net/tcp', 'net/tcp6'].flatMap((file) => (read(pid, file) ?? '').split('\n').slice(1));
  const columns = lines.map((line) => line.trim().split(/\s+/));
  return new Set(
    columns.filter(([, , , state]) => state === LISTEN).map((column) => `socket:[${column[9]}]`),
  );
}

function family(pid: number): number {
  const all = processes();
  const members = new Set([pid]);
  for (let before = 0; before !== members.size;) {
    before = members.size;
    for (const one of all) if (members.has(one.parent)) members.add(one.pid);
  }
  return members.size;
}

/**
 * Command lines of everything that belongs to the cluster of this directory: processes that name it, guardians, and sandboxes,
 * which carry the mark of their worker's directory (docs/adr/0006).
 */
export function processesOf(directory: string, ids: readonly string[]): string[] {
  const own = ids.map((id) => `${join(resolve(directory), id)}/`);
  const marks = ids.map((id) => markOf(join(directory, id, 'state')));
  return processes().flatMap(({ pid }) => {
    if (pid === process.pid) return [];
    const line = (read(pid, 'cmdline') ?? '').replaceAll('\0', ' ').trim();
    const environment = read(pid, 'environ') ?? '';
    const isNamed = own.some((path) => line.includes(path));
    const isMarked = marks.some(
      (mark) => environment.includes(`BATON_WORKER_LIFE=${mark}.`) || line.includes(` ${mark}.`),
    );
    return isNamed || isMarked ? [`${pid}: ${line}`] : [];
  });
}

const markOf = (workerDirectory: string): string =>
  createHash('sha256').update(resolve(workerDirectory)).digest('hex').slice(0, 10);
