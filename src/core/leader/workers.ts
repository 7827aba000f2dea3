/**
 * What workers report, and when they count as gone.
 *
 *   V1  a worker's word about its own sandboxes is the truth; the leader only forgets what the worker does not have;
 *   V2  dead = two "no responders" in a row, asked by a leader whose bus has been up for a suspicion interval, and between
 *       them something that came through the worker's server. A server that was out of reach is answered for as well; but when
 *       it is back, who subscribes there is known before anything else comes from it. While it is not known which server
 *       is the worker's, something must have come through each that is known. Our own server is never out of reach.
 *       Everything else is silence, judged by timer;
 *   V3  silence counts only while the leader's own bus is up; more than a third of a fleet of four or more silent together
 *       says something about the network, and nothing is withdrawn;
 *   V4  of a great fleet, whoever is known by name alone is not silent while others are still being heard for the first time, or tell
 *       for the first time all that they run; nor, until reconstruction closes, whoever was heard: a leader that is slow to hear
 *       thousands says nothing about them. For ten suspicion intervals at most.
 */
import { orderIncarnation, compareFence, NO_INCARNATION } from '../model/fence.ts';
import type { WorkerId } from '../../lib/ids.ts';
import { limits } from '../../lib/limits.ts';
import { CommandSession } from '../fleet/command-session.ts';
import { WorkerView, type SandboxChange } from '../fleet/worker-view.ts';
import type { SandboxStatus } from '../model/sandbox.ts';
import type { WorkerHeartbeat, WorkerReport } from '../model/worker-report.ts';
import { noteDraining } from './draining.ts';
import { startFailed } from './scaling.ts';
import type { LeaderState, Placed, WorkerNode } from './state.ts';
import { settleTrial } from './trials.ts';
import { sweepOrphan } from './withdrawal.ts';

const INVENTORY_ASK_MS = 500;
/** A great fleet spreads its inventories: asked again sooner, it would answer twice, and the leader fall behind further. */
const INVENTORY_SPREAD_MS = 1_000;
const MAX_INVENTORY_WAIT_MS = 6_000;
const SMALL_FLEET = 32;
/** V4, in suspicion intervals. */
const ARRIVAL_INTERVALS = 10;

export function workerNode(s: LeaderState, id: WorkerId): WorkerNode {
  return s.workers.get(id) ?? s.addWorker(id);
}

export function onWorkerReport(s: LeaderState, id: WorkerId, report: WorkerReport): void {
  const node = workerNode(s, id);
  const incarnationBefore = node.view.incarnation;
  const result = node.view.merge(report);
  const heartbeat =
    report.kind === 'hello' ? report.heartbeat : report.kind === 'heartbeat' ? report : undefined;
  if (result.refused !== undefined) {
    refuse(s, node, report, result.refused);
    return;
  }
  if (result.restarted || incarnationBefore === NO_INCARNATION) openSession(s, node);
  heard(s, node);
  s.claims.update(node);
  s.holders.update(node);
  if (heartbeat !== undefined) acknowledge(s, node, heartbeat);
  if (result.restarted) forgetPending(s, node);
  for (const change of result.changes) applyChange(s, node, change);
  if (result.inventoried) {
    if (!node.reported) {
      s.progress.reported(s.nowMs);
      s.arrivedMs = s.nowMs;
    }
    node.reported = true;
    node.inventoryAsks = 0;
    reconcileInventory(s, node);
  }
  forgetUnseen(s, node);
  if (result.needInventory) askInventory(s, node);
  noteDraining(s, node);
}

function heard(s: LeaderState, node: WorkerNode): void {
  if (!node.heard || node.state === 'dead') {
    s.event('worker-joined', node.id, `${node.view.driver}, ${node.view.capacity.cpuMillis} mCPU`);
    // Room for what waits: functions with load are active.
    s.hasJoined = true;
    s.arrivedMs = s.nowMs;
    s.nextDecideMs = s.nowMs;
  }
  node.heard = true;
  node.state = 'alive';
  node.heardMs = s.nowMs;
  node.unsubscribedMs = undefined;
  node.nextProbeMs = 0;
  s.heardThrough.set(node.view.natsServer, s.nowMs);
}

function openSession(s: LeaderState, node: WorkerNode): void {
  const { incarnation } = node.view;
  if (node.session !== undefined && orderIncarnation(incarnation, node.session.incarnation) === 'same')
    return;
  node.session = new CommandSession(s.options.fence, incarnation);
}

function acknowledge(s: LeaderState, node: WorkerNode, heartbeat: WorkerHeartbeat): void {
  const { session } = node;
  const { fence, lastCommand: seq, version } = heartbeat;
  if (session === undefined || compareFence(fence, s.options.fence) !== 0 || !session.hasSent(seq)) return;
  session.acknowledge(seq);
  for (const created of node.unseen.values()) {
    if (created.seq > seq) break;
    created.version ??= version;
  }
  if (session.waiting > 0) s.flushSession(node);
}

/** Creates that were on their way to an earlier life of this worker are lost. */
function forgetPending(s: LeaderState, node: WorkerNode): void {
  for (const placed of [...node.placed.values()]) {
    if (!node.view.sandboxes.has(placed.id)) vanish(s, placed, 'its worker restarted');
  }
}

/** Started and gone, or refused, while every word about it was lost: without this it would count as starting for ever. */
function forgetUnseen(s: LeaderState, node: WorkerNode): void {
  for (const [placed, { version }] of node.unseen) {
    if (version === undefined || version > node.view.version) return;
    if (s.trials.has(placed.id)) settleTrial(s, placed.id, undefined);
    gone(s, placed, undefined);
  }
}

function refuse(s: LeaderState, node: WorkerNode, report: WorkerReport, why: 'older' | 'duplicate'): void {
  const life = report.kind === 'hello' ? report.heartbeat.incarnation : report.incarnation;
  if (why === 'older') return s.refusedEvent(node, life, 'stale: of an earlier life of this worker');
  if (report.kind !== 'inventory') tellDuplicate(s, node, life);
  s.refusedEvent(node, life, 'two processes claim this worker id');
}

function tellDuplicate(s: LeaderState, node: WorkerNode, other: { ms: number; nonce: number }): void {
  for (const incarnation of [node.view.incarnation, other]) {
    const twin = incarnation === other ? node.view.incarnation : other;
    s.effect({
      kind: 'notice',
      worker: node.id,
      notice: { fence: s.options.fence, incarnation, notice: { kind: 'duplicate-id', other: twin } },
    });
  }
}

function askInventory(s: LeaderState, node: WorkerNode): void {
  const isGreat = s.workers.size > SMALL_FLEET;
  if (s.nowMs - node.inventoryAskedMs < inventoryWaitMs(isGreat, node.inventoryAsks)) return;
  node.inventoryAskedMs = s.nowMs;
  node.inventoryAsks++;
  s.effect({
    kind: 'notice',
    worker: node.id,
    notice: {
      fence: s.options.fence,
      incarnation: node.view.incarnation,
      notice: { kind: 'send-inventory', spreadMs: isGreat ? INVENTORY_SPREAD_MS : 0 },
    },
  });
}

/** Before the next request, after so many that no inventory has answered yet. */
function inventoryWaitMs(isGreat: boolean, asks: number): number {
  if (!isGreat || asks === 0) return INVENTORY_ASK_MS;
  return Math.min((INVENTORY_SPREAD_MS + INVENTORY_ASK_MS) * 2 ** (asks - 1), MAX_INVENTORY_WAIT_MS);
}

/** A data plane could not connect: the worker's next inventory says what is true. */
export function doubt(s: LeaderState, placed: Placed): void {
  placed.worker.doubted.add(placed.id);
  askInventory(s, placed.worker);
}

function applyChange(s: LeaderState, node: WorkerNode, change: SandboxChange): void {
  const { after } = change;
  const id = (after ?? change.before)?.id;
  if (id === undefined) return;
  const placed = s.placed.get(id);
  if (after === undefined || after.state === 'gone') {
    if (s.trials.has(id)) settleTrial(s, id, after);
    if (placed !== undefined) gone(s, placed, after);
    return;
  }
  adoptStatus(s, node, placed ?? discover(s, node, after), after);
}

/** The worker has a sandbox that this leader did not create: its predecessor did. */
function discover(s: LeaderState, node: WorkerNode, status: SandboxStatus): Placed {
  const spec = s.functions.get(status.uid)?.record.spec;
  const placed: Placed = {
    id: status.id,
    uid: status.uid,
    generation: status.generation,
    specIndex: status.specIndex,
    worker: node,
    state: 'starting',
    address: '',
    pid: status.pid,
    resources: spec?.resources ?? { cpuMillis: 0, memoryMiB: 0 },
    owner: status.owner,
    withdrawSeq: 0,
    graceMs: spec?.timeoutMs ?? 0,
  };
  s.addPlaced(placed);
  return placed;
}

function adoptStatus(s: LeaderState, node: WorkerNode, placed: Placed, status: SandboxStatus): void {
  s.active.add(placed.uid);
  node.unseen.delete(placed);
  placed.pid = status.pid;
  placed.owner = status.owner;
  if (placed.state === 'withdrawing' || placed.state === 'draining') return;
  switch (status.state) {
    case 'starting':
      placed.state = 'starting';
      return;
    case 'draining':
      // A predecessor decided so.
      if (placed.state === 'ready' || placed.state === 'unconfirmed')
        s.writer.withdraw(placed.id, placed.uid);
      placed.state = 'draining';
      return;
    case 'ready': {
      placed.state = 'ready';
      placed.address = status.address;
      if (s.trials.has(placed.id)) return settleTrial(s, placed.id, status);
      const fn = s.functions.get(placed.uid);
      if (fn === undefined) {
        // Its worker was away when the others were swept.
        if (s.closed) sweepOrphan(s, placed);
        return;
      }
      fn.startFailures = 0;
      s.writer.put(s.endpointOf(placed));
      if (s.draining.size > 0) s.arrived.add(placed.uid);
      return;
    }
    case 'gone':
      return;
    default:
      return status.state satisfies never;
  }
}

function gone(s: LeaderState, placed: Placed, status: SandboxStatus | undefined): void {
  const reason = status?.reason ?? 'it ended unseen';
  if (placed.state === 'pending' || placed.state === 'starting') {
    startFailed(
      s,
      placed.uid,
      placed.id,
      status?.log === undefined || status.log === '' ? reason : `${reason}: ${status.log}`,
    );
  } else if (placed.state === 'ready' || placed.state === 'unconfirmed') {
    s.sandboxEvent('sandbox-gone', placed, reason);
  }
  vanish(s, placed, reason);
}

/** Out of the table at once, if it is in there, and out of memory. */
export function vanish(s: LeaderState, placed: Placed, why: string): void {
  if (placed.state === 'ready' || placed.state === 'unconfirmed') {
    s.writer.withdraw(placed.id, placed.uid);
    s.sandboxEvent('withdrawn', placed, why);
  }
  s.removePlaced(placed);
}

/** The inventory is complete: what data planes hold on this worker and the worker lacks is not there. */
function reconcileInventory(s: LeaderState, node: WorkerNode): void {
  for (const placed of [...node.placed.values()]) {
    if (node.view.sandboxes.has(placed.id)) {
      if (node.doubted.has(placed.id) && placed.state === 'ready') s.writer.put(s.endpointOf(placed));
    } else if (!node.unseen.has(placed)) {
      vanish(s, placed, 'its worker does not have it');
    }
  }
  node.doubted.clear();
}

// ---- liveness -----------------------------------------------------------------------------------------------------

/** Its suspicion ran out, by timer (V3, V4). */
export function isSilent(s: LeaderState, node: WorkerNode): boolean {
  const { suspicionMs } = s.options;
  const quietMs = s.nowMs - Math.max(node.heardMs, s.busUpSinceMs);
  if (quietMs < suspicionMs) return false;
  const isArriving = s.workers.size > SMALL_FLEET && (!node.heard || !s.closed);
  const mayArrive = isArriving && quietMs < ARRIVAL_INTERVALS * suspicionMs;
  return !mayArrive || s.nowMs - s.arrivedMs >= suspicionMs;
}

export function checkWorkers(s: LeaderState): void {
  if (!s.busUp) return;
  const { overdueMs, workerHeartbeatMs } = s.options;
  let silent = 0;
  let fleet = 0;
  let probing = 0;
  for (const { probing: isProbed } of s.workers.values()) if (isProbed) probing++;
  for (const node of s.workers.values()) {
    if (node.state === 'dead') continue;
    fleet++;
    if (isSilent(s, node)) silent++;
    const quietMs = s.nowMs - Math.max(node.heardMs, s.busUpSinceMs);
    const dueMs = node.heard ? workerHeartbeatMs + overdueMs : overdueMs;
    const isDue = quietMs >= dueMs && !node.probing && s.nowMs >= node.nextProbeMs && mayProbe(s, node);
    if (isDue && probing < limits.workerProbes) {
      probing++;
      node.probing = true;
      s.effect({ kind: 'probe-worker', worker: node.id });
    }
  }
  if (silent === 0) return;
  const isMassSilence = fleet >= 4 && silent * 3 > fleet;
  for (const node of s.workers.values()) {
    if (node.state !== 'alive' || !isSilent(s, node)) continue;
    node.state = 'silent';
    s.event(
      'worker-silent',
      node.id,
      isMassSilence ? 'with more than a third of the fleet' : 'suspicion ran out',
    );
  }
  if (isMassSilence) return;
  let buried = 0;
  for (const node of s.workers.values()) {
    if (node.state !== 'silent') continue;
    if (buried >= limits.buriedSandboxes) break;
    buried += node.placed.size;
    bury(s, node, 'silent past its suspicion');
  }
}

export function onWorkerProbed(
  s: LeaderState,
  id: WorkerId,
  answer: 'no-responders' | 'answered' | 'unknown',
): void {
  const node = s.workers.get(id);
  if (node === undefined || !node.probing) return;
  node.probing = false;
  node.nextProbeMs = s.nowMs + s.options.overdueMs;
  if (answer !== 'no-responders' || !s.busUp || s.nowMs - s.busUpSinceMs < s.options.suspicionMs) {
    node.unsubscribedMs = undefined;
    return;
  }
  if (node.unsubscribedMs !== undefined) return bury(s, node, 'nobody subscribes for it any more');
  node.unsubscribedMs = s.nowMs;
  node.nextProbeMs = s.nowMs;
  if (!mayProbe(s, node)) return;
  node.probing = true;
  s.effect({ kind: 'probe-worker', worker: id });
}

/** V2: a second "no responders" would count. */
function mayProbe(s: LeaderState, node: WorkerNode): boolean {
  const { unsubscribedMs: sinceMs } = node;
  if (sinceMs === undefined) return true;
  const { natsServer } = node.view;
  const servers = natsServer === '' ? [...s.heardThrough.keys()] : [natsServer];
  return servers.every(
    (server) => server === s.ownServer || (s.heardThrough.get(server) ?? sinceMs) > sinceMs,
  );
}

function bury(s: LeaderState, node: WorkerNode, why: string): void {
  node.state = 'dead';
  node.doubted.clear();
  s.event('worker-dead', node.id, why);
  for (const placed of [...node.placed.values()]) {
    if (s.trials.has(placed.id)) settleTrial(s, placed.id, undefined);
    if (placed.state === 'withdrawing') s.removePlaced(placed);
    else vanish(s, placed, `worker ${node.id} is dead`);
  }
  node.session?.giveUpCreates();
  // If it comes back, in this life or another, it is asked for everything.
  node.view = new WorkerView(node.id);
  s.claims.update(node);
  s.holders.update(node);
  noteDraining(s, node);
  s.nextDecideMs = s.nowMs;
}
