/**
 * The simulator's seeds for hunting mutants: the same clusters, with what would be rare otherwise. Logs are compacted every few
 * entries, so that snapshots travel; replicas are also stopped in good order; leadership is handed over.
 */
import { prng } from '../../src/lib/prng.ts';
import type { Fault, FaultKind, SimOptions } from '../sim/options.ts';

const ADDED: readonly FaultKind[] = ['stop-replica', 'transfer', 'lost-disk', 'crash-replica'];
const EVERY_MS = 1_200;

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
  return { ...options, schedule, snapshotEvery: 5 + random.below(30) };
}
