/** Watches the term of a cluster that nobody harms: each increase is a false election. */
import { setTimeout as delay } from 'node:timers/promises';
import { loadAverage } from '../lib/machine.ts';
import type { Bench } from '../lib/program.ts';
import type { ReplicaSet } from '../lib/replica-set.ts';

export interface TermSample {
  readonly second: number;
  readonly term: number;
  readonly leader: string;
  readonly loadAverage: number;
}

const LOOK_EVERY_MS = 1_000;
const SAY_EVERY = 60;

/** The highest term that any replica knows; 0 when none answers. */
export async function termOf(replicas: ReplicaSet): Promise<number> {
  return Math.max(0, ...(await replicas.statuses()).map(({ term }) => term));
}

/** One sample a second for `minutes`; a look that nobody answers in time is left out. */
export async function watchTerms(replicas: ReplicaSet, minutes: number, bench: Bench): Promise<TermSample[]> {
  const samples: TermSample[] = [];
  const beganMs = performance.now();
  for (let looks = 1; performance.now() - beganMs < minutes * 60_000; looks++) {
    await delay(Math.max(0, beganMs + looks * LOOK_EVERY_MS - performance.now()));
    const statuses = await replicas.statuses();
    const second = Math.round((performance.now() - beganMs) / 1_000);
    const newest = statuses.toSorted((a, b) => b.term - a.term)[0];
    if (newest === undefined) continue;
    const last = samples.at(-1);
    samples.push({ second, term: newest.term, leader: newest.leader, loadAverage: loadAverage() });
    if (last !== undefined && newest.term > last.term)
      bench.say(`after ${second} s the term rose from ${last.term} to ${newest.term}`);
    if (looks % SAY_EVERY === 0)
      bench.say(`${looks / 60} min: term ${newest.term}, leader ${newest.leader}, load ${loadAverage()}`);
  }
  return samples;
}
