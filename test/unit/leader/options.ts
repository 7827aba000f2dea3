/** A leader's options where a test has nothing to say about them; the fence and the suspicion are for it to say. */
import type { LeaderOptions } from '../../../src/core/leader/types.ts';

export function leaderOptions(
  more: Partial<LeaderOptions> & Pick<LeaderOptions, 'fence' | 'suspicionMs'>,
): LeaderOptions {
  return {
    leaseMs: 3_000,
    workerHeartbeatMs: 1_000,
    overdueMs: 300,
    coldStartPaceMs: 100,
    decideEveryMs: 250,
    trialTimeoutMs: 2_000,
    specWaitMs: 2_000,
    artifactSources: [],
    placement: 'least-allocated',
    ...more,
  };
}
