/**
 * Withdrawal without a lost request: withdraw the endpoint → every live data plane has applied that seq and has nothing in
 * flight there (or its lease lapsed) → drain command → gone.
 */
import type { LeaderState, Placed } from './state.ts';

const MIN_GRACE_MS = 1_000;

export function withdraw(s: LeaderState, placed: Placed, graceMs: number, why: string): void {
  if (placed.state === 'withdrawing' || placed.state === 'draining') return;
  placed.graceMs = Math.max(MIN_GRACE_MS, graceMs);
  s.sandboxEvent('withdrawn', placed, why);
  if (placed.state === 'pending' || placed.state === 'starting') {
    // Nobody was told of it: nothing can be in flight there.
    placed.state = 'draining';
    s.command(placed.worker, { kind: 'kill', sandbox: placed.id });
    return;
  }
  s.writer.withdraw(placed.id, placed.uid);
  placed.withdrawSeq = s.writer.pendingSeq;
  placed.state = 'withdrawing';
  s.withdrawing.add(placed);
}

/**
 * Its function is gone, which only a state at least as new as the sandbox's spec may say. A trial that nobody adopted has
 * uid 0 and spec index 0.
 */
export function sweepOrphan(s: LeaderState, placed: Placed): boolean {
  if (s.trials.has(placed.id) || s.functions.has(placed.uid) || s.appliedIndex < placed.specIndex)
    return false;
  withdraw(s, placed, placed.graceMs, 'its function is gone');
  s.sandboxEvent('swept', placed, 'its function is gone');
  return true;
}

/** Drains what no data plane uses any more. */
export function advanceWithdrawals(s: LeaderState): void {
  if (s.withdrawing.size === 0) return;
  const live = s.liveDataPlanes();
  const { fence } = s.options;
  for (const placed of s.withdrawing) {
    const isFree = live.every(
      (dataPlane) =>
        dataPlane.fence.epoch === fence.epoch &&
        dataPlane.fence.term === fence.term &&
        dataPlane.endpointSeq >= placed.withdrawSeq &&
        (dataPlane.withdrawing.get(placed.id) ?? 0) === 0,
    );
    if (!isFree) continue;
    if (s.command(placed.worker, { kind: 'drain', sandbox: placed.id, graceMs: placed.graceMs }) === 0)
      continue;
    placed.state = 'draining';
    s.withdrawing.delete(placed);
  }
}
