/**
 * The order of DESIGN.md, "Heartbeats and lazy reconstruction": place at once on what is known, kill and withdraw nothing
 * until every known worker has reported or its suspicion ran out, then sweep.
 */
import type { LeaderState, Placed } from './state.ts';
import { retireOld } from './scaling.ts';
import { isSilent, vanish } from './workers.ts';
import { sweepOrphan } from './withdrawal.ts';

/** Never sooner than one suspicion interval after the first beacon, and not while the bus is away. */
export function mayClose(s: LeaderState): boolean {
  if (s.closed || !s.busUp) return false;
  if (s.nowMs - Math.max(s.startedMs, s.busUpSinceMs) < s.options.suspicionMs) return false;
  for (const worker of s.workers.values()) {
    // Silent with many others (V3): a complete snapshot without its endpoints would withdraw them all.
    if (worker.state === 'silent' && !worker.view.hasInventory) return false;
    if (worker.state === 'alive' && !worker.view.hasInventory && !isSilent(s, worker)) return false;
  }
  return true;
}

export function close(s: LeaderState): void {
  s.closed = true;
  s.progress.reconciled(s.nowMs);
  s.writer.complete();
  let swept = 0;
  for (const placed of [...s.placed.values()]) {
    const { worker } = placed;
    if (placed.state === 'unconfirmed' && worker.view.hasInventory) {
      sweep(s, placed, 'no worker confirmed it');
      swept++;
    } else if (placed.state === 'unconfirmed' && worker.state === 'dead') {
      sweep(s, placed, 'its worker is dead');
      swept++;
    } else if (sweepOrphan(s, placed)) swept++;
  }
  for (const node of s.functions.values()) {
    if (node.placed.size > 0 || node.record.spec.scaling.min > 0) s.active.add(node.record.uid);
    retireOld(s, node);
  }
  s.nextDecideMs = s.nowMs;
  const after = Math.round(s.nowMs - s.startedMs);
  s.event(
    'reconciled',
    `term ${s.options.fence.term}`,
    `after ${after} ms, ${s.workers.size} workers, ${swept} swept`,
  );
}

function sweep(s: LeaderState, placed: Placed, why: string): void {
  s.sandboxEvent('swept', placed, why);
  vanish(s, placed, why);
}
