/**
 * Functions with a hard limit across all data planes have one owning data plane, which alone queues and counts.
 *
 *   O1  the owner is published before the function's first endpoint;
 *   O2  it changes only on release or after a lapsed lease, and after a lapse the sandboxes are replaced, not re-owned:
 *       the old owner's requests may still be in them;
 *   O3  a new leader takes owners from reports, and names new ones only after every lease of its predecessor's time has run
 *       out.
 */
import type { DataPlaneNode, FunctionNode, LeaderState } from './state.ts';
import { withdraw } from './withdrawal.ts';

/** False: nobody can own it now. */
export function ensureOwner(s: LeaderState, node: FunctionNode): boolean {
  const { uid, spec } = node.record;
  if (spec.containerConcurrency === 0) {
    // The limit was lifted: any data plane may dispatch.
    if (s.writer.owner(uid) !== undefined) s.writer.setOwner(uid, undefined);
    return true;
  }
  if (s.writer.owner(uid) !== undefined) return true;
  if (!s.oldLeasesOver) return false;
  const owner = chooseOwner(s, node);
  if (owner === undefined) return false;
  // O2: whoever owned them has not been heard for a lease, and may still be using them.
  for (const placed of node.placed)
    if (placed.generation === node.record.generation)
      withdraw(s, placed, spec.timeoutMs, 'nobody claims to own it');
  appoint(s, owner, node);
  return true;
}

/** Sandboxes with a hard limit and nobody to dispatch to them: their owner was restarted, or fell silent, under another leader. */
export function isOrphaned(s: LeaderState, { record, placed }: FunctionNode): boolean {
  return record.spec.containerConcurrency > 0 && placed.size > 0 && s.writer.owner(record.uid) === undefined;
}

/** Where most of its requests are; of equals, spread by uid. */
function chooseOwner(s: LeaderState, node: FunctionNode): DataPlaneNode | undefined {
  const live = s.liveDataPlanes().sort((a, b) => (a.id < b.id ? -1 : 1));
  const { uid } = node.record;
  let best = live[uid % Math.max(1, live.length)];
  let most = 0;
  for (const dataPlane of live) {
    const load = dataPlane.loads.get(uid);
    const total = (load?.inFlight ?? 0) + (load?.queued ?? 0);
    if (total > most) {
      best = dataPlane;
      most = total;
    }
  }
  return best;
}

function appoint(s: LeaderState, dataPlane: DataPlaneNode, node: FunctionNode): void {
  const { uid, spec } = node.record;
  s.writer.setOwner(uid, {
    dataPlane: dataPlane.id,
    incarnation: dataPlane.incarnation,
    peer: dataPlane.peer,
  });
  s.event('owner', spec.name, `owned by ${dataPlane.id}`);
}

/** O3: what a data plane says it owns, it owns, unless somebody else does. */
export function acceptClaims(s: LeaderState, dataPlane: DataPlaneNode): void {
  for (const uid of dataPlane.owned) {
    const node = s.functions.get(uid);
    if (node === undefined || node.record.spec.containerConcurrency === 0) continue;
    if (s.writer.owner(uid) === undefined) appoint(s, dataPlane, node);
  }
}

/** O2. */
export function dropOwner(s: LeaderState, dataPlane: DataPlaneNode): void {
  for (const node of s.functions.values()) {
    const { uid, spec } = node.record;
    if (s.writer.owner(uid)?.dataPlane !== dataPlane.id) continue;
    s.writer.setOwner(uid, undefined);
    for (const placed of node.placed)
      withdraw(s, placed, spec.timeoutMs, `its owner ${dataPlane.id} is gone`);
    s.active.add(uid);
  }
}
