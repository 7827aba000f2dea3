/**
 * Functions with a hard limit across all data planes have one owning data plane, which alone queues and counts.
 *
 *   O1  a sandbox has one owner for life, named when it was asked for, and only that life of that data plane dispatches to it,
 *       whatever others take themselves for: its requests alone are in there, so that it alone can count them;
 *   O2  a function's owner, to whom others hand its requests, is published before its first endpoint. It changes only on release
 *       or after a lapsed lease, and then the sandboxes are replaced, not re-owned;
 *   O3  a new leader takes owners from reports, and names new ones only after every lease of its predecessor's time has run
 *       out. The report of one that was away may be wrong: sandboxes of another owner are replaced, once reconciliation closed.
 */
import { isSameOwner, type SandboxOwner } from '../model/sandbox.ts';
import type { DataPlaneNode, FunctionNode, LeaderState, Placed } from './state.ts';
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

/** O1, for a sandbox that is about to be asked for. */
export function ownerOfNew(s: LeaderState, { record }: FunctionNode): SandboxOwner | undefined {
  if (record.spec.containerConcurrency === 0) return undefined;
  const owner = s.writer.owner(record.uid);
  return owner && { dataPlane: owner.dataPlane, incarnation: owner.incarnation };
}

/** Nobody sends it a request any more: its owner is not the function's. */
export function isForeign(s: LeaderState, node: FunctionNode, placed: Placed): boolean {
  const { record } = node;
  if (record.spec.containerConcurrency === 0 || placed.generation !== record.generation) return false;
  if (placed.state === 'withdrawing' || placed.state === 'draining') return false;
  const owner = s.writer.owner(record.uid);
  return owner !== undefined && !isSameOwner(placed.owner, owner);
}

export function foreign(s: LeaderState, node: FunctionNode): readonly Placed[] {
  if (node.record.spec.containerConcurrency === 0) return [];
  return [...node.placed].filter((placed) => isForeign(s, node, placed));
}

/** Sandboxes with a hard limit and nobody to dispatch to them: their owner was restarted, or fell silent, under another leader. */
export function isOrphaned(s: LeaderState, { record, placed }: FunctionNode): boolean {
  return record.spec.containerConcurrency > 0 && placed.size > 0 && s.writer.owner(record.uid) === undefined;
}

/**
 * Where most of its requests are; of equals, spread by uid. Not one that is known by its demand alone: nobody could hand it a request
 * before its first report says where.
 */
function chooseOwner(s: LeaderState, node: FunctionNode): DataPlaneNode | undefined {
  const live = s
    .liveDataPlanes()
    .filter(({ peer }) => peer !== '')
    .sort((a, b) => (a.id < b.id ? -1 : 1));
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
  s.functionEvent('owner', spec.name, `owned by ${dataPlane.id}`);
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
