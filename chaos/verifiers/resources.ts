/** RES: once faults have stopped, every process holds what it held before them. */
export interface Usage {
  readonly rssMiB: number;
  readonly fds: number;
  /** Listening TCP sockets. */
  readonly ports: number;
  readonly threads: number;
  /** It and everything that it started. */
  readonly processes: number;
}

/** A heap grows until its next collection; a pool keeps a few connections for a while. */
const SPARE = { fds: 24, threads: 4, rssMiB: 64, rssFactor: 1.5 } as const;

/**
 * Idle before and after. Sandboxes may have moved from one worker to another: what runs is the same in all.
 * @returns who holds more or other than before, in words; empty: all are back
 */
export function excess(before: ReadonlyMap<string, Usage>, after: ReadonlyMap<string, Usage>): string[] {
  const wrong: string[] = [];
  for (const [id, was] of before) {
    const is = after.get(id);
    if (is === undefined) {
      wrong.push(`${id} is not there`);
      continue;
    }
    const most = {
      rssMiB: was.rssMiB * SPARE.rssFactor + SPARE.rssMiB,
      fds: was.fds + SPARE.fds,
      threads: was.threads + SPARE.threads,
    };
    for (const key of ['rssMiB', 'fds', 'threads'] as const)
      if (is[key] > most[key]) wrong.push(`${id} has ${is[key]} ${key}, ${was[key]} before`);
    if (is.ports !== was.ports) wrong.push(`${id} listens on ${is.ports} ports, ${was.ports} before`);
  }
  for (const id of after.keys()) if (!before.has(id)) wrong.push(`${id} was not there before`);
  const [had, has] = [total(before), total(after)];
  if (had !== has) wrong.push(`${has} processes, ${had} before`);
  return wrong;
}

function total(usages: ReadonlyMap<string, Usage>): number {
  return [...usages.values()].reduce((sum, { processes }) => sum + processes, 0);
}
