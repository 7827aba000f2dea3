/** What data planes report: load, acknowledgements, the endpoints they hold, and what they own. */
import type { DataPlaneId, SandboxId } from '../../lib/ids.ts';
import type { DataPlaneHeld, DataPlaneReport, Demand, FunctionLoad } from '../model/data-plane-report.ts';
import { NO_INCARNATION, orderIncarnation, type Incarnation } from '../model/fence.ts';
import { acceptClaims, dropOwner } from './ownership.ts';
import { evaluate, retireOld } from './scaling.ts';
import { DataPlaneNode, type LeaderState, type Placed } from './state.ts';
import { advanceWithdrawals, withdraw } from './withdrawal.ts';
import { doubt, workerNode } from './workers.ts';

/** Undefined: an earlier life, not heard. */
function admit(s: LeaderState, id: DataPlaneId, incarnation: Incarnation): DataPlaneNode | undefined {
  let node = s.dataPlanes.get(id);
  if (node === undefined) {
    node = new DataPlaneNode(id, s.nowMs);
    s.dataPlanes.set(id, node);
    s.event('data-plane-joined', id, 'heard for the first time in this term');
  }
  const order = orderIncarnation(incarnation, node.incarnation);
  if (order === 'older') {
    s.refusedEvent(node, incarnation, 'stale: of an earlier life of this data plane');
    return undefined;
  }
  if (order === 'duplicate') {
    s.refusedEvent(node, incarnation, 'two processes claim this data-plane id');
    return undefined;
  }
  if (order === 'newer') {
    if (node.incarnation !== NO_INCARNATION) forgetLoads(s, node);
    // O2: what its earlier life owned is replaced.
    if (node.incarnation !== NO_INCARNATION) dropOwner(s, node);
    node.incarnation = incarnation;
    node.caller = '';
    node.peer = '';
    node.seq = 0;
    node.endpointSeq = 0;
    node.specIndex = 0;
    node.withdrawing = new Map();
  }
  node.heardMs = s.nowMs;
  if (!node.live) s.event('data-plane-joined', id, 'heard again');
  node.live = true;
  return node;
}

function setLoad(s: LeaderState, node: DataPlaneNode, load: FunctionLoad): void {
  if (load.inFlight + load.queued === 0) node.loads.delete(load.uid);
  else node.loads.set(load.uid, load);
  observe(s, load.uid);
}

function observe(s: LeaderState, uid: FunctionLoad['uid']): void {
  const fn = s.functions.get(uid);
  if (fn === undefined) return;
  let total = 0;
  for (const dataPlane of s.dataPlanes.values()) {
    const load = dataPlane.live ? dataPlane.loads.get(uid) : undefined;
    if (load !== undefined) total += load.inFlight + load.queued;
  }
  fn.scaler.observe(s.nowMs, total);
  s.active.add(uid);
  const served = fn.placed.size > 0 && total <= fn.placed.size;
  if (total > 0 && !served) evaluate(s, fn);
}

function forgetLoads(s: LeaderState, node: DataPlaneNode): void {
  const uids = [...node.loads.keys()];
  node.loads = new Map();
  for (const uid of uids) observe(s, uid);
}

export function onReport(s: LeaderState, id: DataPlaneId, report: DataPlaneReport): void {
  const node = admit(s, id, report.incarnation);
  if (node === undefined || report.seq <= node.seq) return;
  s.heardThrough.set(report.natsServer, s.nowMs);
  node.seq = report.seq;
  node.caller = report.caller;
  node.peer = report.peer;
  node.fence = report.fence;
  node.endpointSeq = report.endpointSeq;
  const learned = report.specIndex !== node.specIndex;
  node.specIndex = report.specIndex;
  node.owned = report.owned;
  node.withdrawing = new Map(report.withdrawing.map(({ sandbox, inFlight }) => [sandbox, inFlight]));
  acceptClaims(s, node);
  const reported = new Set(report.loads.map(({ uid }) => uid));
  for (const uid of [...node.loads.keys()]) {
    if (!reported.has(uid)) setLoad(s, node, { uid, inFlight: 0, queued: 0 });
  }
  for (const load of report.loads) setLoad(s, node, load);
  for (const sandbox of report.refused) {
    const placed = s.placed.get(sandbox);
    if (placed?.state === 'ready') doubt(s, placed);
  }
  // Not before it is known what there is (S1): it is said again.
  if (s.closed) for (const sandbox of report.condemned) replace(s, sandbox);
  advanceWithdrawals(s);
  if (learned) {
    for (const uid of s.active) {
      const fn = s.functions.get(uid);
      if (fn !== undefined) retireOld(s, fn);
    }
    advanceWaits(s);
  }
}

/** A request there was given up and has not ended: its slot is taken for good, and under a hard limit nobody else may use it. */
function replace(s: LeaderState, sandbox: SandboxId): void {
  const placed = s.placed.get(sandbox);
  if (placed?.state !== 'ready') return;
  withdraw(s, placed, placed.graceMs, 'a request that was given up still holds it');
  s.active.add(placed.uid);
}

/** Demand came first and alone: a request waits and nothing is there to take it. */
export function onDemand(s: LeaderState, id: DataPlaneId, demand: Demand): void {
  const node = admit(s, id, demand.incarnation);
  if (node === undefined) return;
  for (const load of demand.loads) setLoad(s, node, load);
}

/** What a data plane still serves from is evidence of scale, so that a new leader does not start a second fleet. */
export function onHeld(s: LeaderState, id: DataPlaneId, held: DataPlaneHeld): void {
  const node = admit(s, id, held.incarnation);
  if (node === undefined || s.closed) return;
  for (const id of held.workers) workerNode(s, id);
  for (const endpoint of held.endpoints) {
    if (s.placed.has(endpoint.sandbox)) continue;
    const worker = workerNode(s, endpoint.worker);
    if (worker.view.hasInventory || worker.state === 'dead') {
      // It is not there (V1), and this data plane goes on using it.
      s.writer.withdraw(endpoint.sandbox, endpoint.uid);
      continue;
    }
    const resources = s.functions.get(endpoint.uid)?.record.spec.resources ?? { cpuMillis: 0, memoryMiB: 0 };
    const placed: Placed = {
      id: endpoint.sandbox,
      uid: endpoint.uid,
      generation: endpoint.generation,
      specIndex: endpoint.specIndex,
      worker,
      state: 'unconfirmed',
      address: endpoint.address,
      pid: 0,
      resources,
      owner: endpoint.owner,
      withdrawSeq: 0,
      graceMs: 0,
    };
    s.addPlaced(placed);
  }
}

/** Leases, counted in the leader's bus-up time. */
export function checkDataPlanes(s: LeaderState): void {
  if (!s.busUp) return;
  if (s.nowMs - Math.max(s.startedMs, s.busUpSinceMs) >= s.options.leaseMs) s.oldLeasesOver = true;
  for (const node of s.dataPlanes.values()) {
    if (!node.live || s.nowMs - Math.max(node.heardMs, s.busUpSinceMs) < s.options.leaseMs) continue;
    node.live = false;
    s.event('data-plane-gone', node.id, 'its lease ran out');
    forgetLoads(s, node);
    dropOwner(s, node);
    for (const uid of s.active) {
      const fn = s.functions.get(uid);
      if (fn !== undefined) retireOld(s, fn);
    }
  }
  advanceWithdrawals(s);
  advanceWaits(s);
}

/** Answers those who wait for a spec to be everywhere; a young leader first lets one lease run out. */
export function advanceWaits(s: LeaderState): void {
  if (s.waits.size === 0 || !s.oldLeasesOver) return;
  for (const [wait, { specIndex, deadlineMs }] of s.waits) {
    const laggards = s.liveDataPlanes().filter((dataPlane) => dataPlane.specIndex < specIndex);
    if (laggards.length > 0 && s.nowMs < deadlineMs) continue;
    s.waits.delete(wait);
    s.effect({ kind: 'spec-wait', wait, laggards: laggards.map(({ id }) => id) });
  }
}
