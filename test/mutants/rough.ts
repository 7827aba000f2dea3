/**
 * The simulator's seeds for hunting mutants: the same clusters, with more of what is rare there. Disks fill, rot, get lost, fail to sync and lose
 * power around it, replicas end in every way, leaders lose the bus and still answer whom they reach. Logs are compacted every
 * few entries, so that snapshots travel, and many clients look on.
 */
import { prng } from '../../src/lib/prng.ts';
import type { Fault, FaultKind, SimOptions } from '../sim/options.ts';

const ADDED: readonly FaultKind[] = [
  'crash-replica',
  'stop-replica',
  'crash-on-sync',
  'full-disk',
  'failing-sync',
  'failing-sync',
  'damaged-disk',
  'damaged-disk',
  'lost-disk',
  'transfer',
  'leader-disconnect',
  'leader-disconnect',
];
const EVERY_MS = 800;
/** In a short run; a long one has operations enough. */
const REGISTRARS = 12;
const SHORT_MS = 10_000;

export function roughen(options: SimOptions): SimOptions {
  const random = prng(`rough/${options.seed}`);
  const added: Fault[] = [];
  for (
    let atMs = random.below(EVERY_MS);
    atMs < options.faultyMs;
    atMs += EVERY_MS * (0.5 + random.float())
  ) {
    const kind = ADDED[random.below(ADDED.length)];
    if (kind !== undefined) added.push({ atMs: Math.round(atMs), kind, salt: random.uint32() });
  }
  const schedule = [...options.schedule, ...added].sort((a, b) => a.atMs - b.atMs);
  const registrars = options.faultyMs <= SHORT_MS ? REGISTRARS : options.registrars;
  const timing = { ...options.timing, snapshotEvery: 5 + random.below(30) };
  return { ...options, schedule, registrars, timing };
}
