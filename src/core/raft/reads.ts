/**
 * ReadIndex (thesis 6.4): a read that promises freshness waits for an entry of the leader's own term to commit, and for a
 * confirmation round that began after the read. No lease reads.
 */
import { limits } from '../../lib/limits.ts';
import type { PendingRead, RaftState } from './state.ts';

/** False: this replica does not lead, or too many reads wait. */
export function requestRead(s: RaftState, waiter: PendingRead['waiter']): boolean {
  if (s.role !== 'leader' || s.reads.length >= limits.raftProposals) return false;
  // The round that will be begun by the next flush, not one that is already on its way.
  s.wantHeartbeat = true;
  s.reads.push({ index: s.log.commit, round: s.round + 1, waiter });
  return true;
}

export function serveConfirmedReads(s: RaftState): void {
  if (s.log.commit < s.termStartIndex) return;
  while (s.reads.length > 0) {
    const read = s.reads[0];
    if (read === undefined || read.round > s.confirmedRound) return;
    s.reads.shift();
    // Before the own term's first commit the commit index may be stale: what counts is the one known now (etcd#7331).
    const index = Math.max(read.index, s.termStartIndex);
    const { waiter } = read;
    if (waiter.kind === 'read') s.readResults.push({ ctx: waiter.ctx, index });
    else
      s.send(waiter.peer, {
        kind: 'rejoin-reply',
        nonce: waiter.nonce,
        confirmedCommit: index,
        knownIncarnationMs: 0,
      });
  }
}
