/**
 * From load to sandboxes: what a function should have, and where it starts.
 *
 *   S1  until reconciliation closes nothing is scaled down, and a function with queued requests gets at most one new
 *       sandbox per coldStartPaceMs: creates that were in flight at the kill are in nobody's evidence;
 *   S2  a function whose starts fail is retried with growing pauses, and its reason says so;
 *   S3  a function with a hard limit has an owner before its first sandbox;
 *   S4  what is on workers that are drained is wanted elsewhere, and goes as it becomes superfluous (draining.ts).
 */
import { assert } from '../../lib/assert.ts';
import type { FunctionUid, SandboxId } from '../../lib/ids.ts';
import type { FunctionRecord } from '../model/function.ts';
import { leavingOf, movesLeft, release, withoutMoves } from './draining.ts';
import { ensureOwner, foreign, isForeign, isOrphaned, ownerOfNew } from './ownership.ts';
import { noRoomToMove, whyOf } from './reason.ts';
import { FunctionNode, type LeaderState, type Placed, type WorkerNode } from './state.ts';
import { withdraw } from './withdrawal.ts';

const FIRST_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 30_000;

export function putFunction(s: LeaderState, record: FunctionRecord, isNew: boolean): void {
  const known = s.functions.get(record.uid);
  if (known === undefined) {
    const node = new FunctionNode(record, s.placer.newTurn(), s.nowMs);
    s.functions.set(record.uid, node);
    if (isNew) {
      node.rolloutFloor = reachable(record, record.spec.scaling.initial);
      // Nobody else has evidence of it: there is nothing to wait for.
      s.deciding.add(record.uid);
    } else for (const placed of s.placed.values()) if (placed.uid === record.uid) node.placed.add(placed);
    if (node.rolloutFloor > 0 || record.spec.scaling.min > 0 || node.placed.size > 0)
      s.active.add(record.uid);
    return;
  }
  // Of the last generation: what is left of those before it is on its way out.
  const serving = scaleOf(s, known).ready;
  known.renew(record);
  known.startFailures = 0;
  known.backoffUntilMs = 0;
  known.rolloutFloor = reachable(record, Math.max(serving, known.rolloutFloor));
  s.active.add(record.uid);
  evaluate(s, known);
}

/** A floor above the maximum would never be reached, and never lifted. */
function reachable({ spec }: FunctionRecord, floor: number): number {
  const { max } = spec.scaling;
  return max > 0 ? Math.min(floor, max) : floor;
}

export function deleteFunction(s: LeaderState, uid: FunctionUid): void {
  const node = s.functions.get(uid);
  if (node === undefined) return;
  const { name, timeoutMs } = node.record.spec;
  s.functionEvent('deleted', name, `at generation ${node.record.generation}`);
  for (const placed of node.placed) withdraw(s, placed, timeoutMs, 'its function was deleted');
  s.functions.delete(uid);
  s.active.delete(uid);
  s.deciding.delete(uid);
  s.roomless.delete(uid);
  s.writer.setOwner(uid, undefined);
}

/** Ready and on the way, of the current generation; claims of workers whose inventory is not here yet count too. */
export function scaleOf(s: LeaderState, node: FunctionNode): { ready: number; starting: number } {
  let ready = 0;
  let starting = 0;
  const { uid, generation } = node.record;
  for (const placed of node.placed) {
    if (placed.generation !== generation || isForeign(s, node, placed)) continue;
    if (placed.state === 'ready' || placed.state === 'unconfirmed') ready++;
    else if (placed.state === 'pending' || placed.state === 'starting') starting++;
  }
  if (s.closed) return { ready, starting };
  const claimants = s.claims.of(uid);
  if (claimants.size === 0) return { ready, starting };
  const known = new Map<WorkerNode, number>();
  for (const { worker, generation: of } of node.placed)
    if (of === generation) known.set(worker, (known.get(worker) ?? 0) + 1);
  for (const worker of claimants)
    ready += Math.max(0, worker.view.claimed(uid, generation) - (known.get(worker) ?? 0));
  return { ready, starting };
}

export function evaluate(s: LeaderState, node: FunctionNode): void {
  if (isOrphaned(s, node)) ensureOwner(s, node);
  const all = scaleOf(s, node);
  const leaving = leavingOf(s, node);
  const scale = leaving.length === 0 ? all : withoutMoves(node, all, leaving);
  const have = scale.ready + scale.starting;
  const decision = node.scaler.decide(s.nowMs, scale);
  let desired = Math.max(decision.desired, node.rolloutFloor);
  node.obstacle = undefined;
  s.roomless.delete(node.record.uid);
  if (desired < have && !s.closed) {
    desired = have;
    node.obstacle = { kind: 'reconciling' };
  }
  node.decision = decision;
  node.decidedMs = s.nowMs;
  if (desired !== node.desired) {
    const from = node.desired;
    node.desired = desired;
    const why = whyOf(s, node);
    node.change = { from, to: desired, why, atMs: s.nowMs };
    s.functionEvent('scaled', node.record.spec.name, `${from} → ${desired}: ${why}`);
  }
  if (have >= node.rolloutFloor && scale.ready > 0) node.rolloutFloor = 0;
  node.isDecided = s.closed;
  if (leaving.length > 0 && s.closed) relocate(s, node, all.ready + all.starting, leaving);
  else if (desired > have) grow(s, node, desired - have);
  else if (desired < have) shrink(s, node, have - desired);
  if (!s.roomless.has(node.record.uid)) node.noRoom = '';
  const isSettled =
    decision.settled &&
    node.rolloutFloor === 0 &&
    leaving.length === 0 &&
    !isOrphaned(s, node) &&
    outdated(node).length === 0 &&
    foreign(s, node).length === 0;
  if (isSettled) s.active.delete(node.record.uid);
  else s.active.add(node.record.uid);
}

/** Before reconciliation closes (S1), a function without load and without a floor to reach waits for its evidence. */
export function isPressing(s: LeaderState, uid: FunctionUid): boolean {
  const node = s.functions.get(uid);
  return node === undefined || node.load > 0 || node.rolloutFloor > 0 || isOrphaned(s, node);
}

function grow(s: LeaderState, node: FunctionNode, wanted: number): void {
  if (s.nowMs < node.backoffUntilMs) {
    node.obstacle = { kind: 'backoff' };
    return;
  }
  let count = wanted;
  if (!s.closed) {
    // S1. Without a waiting request there is no hurry: the evidence is still coming in.
    if (node.load === 0 && node.rolloutFloor === 0) return;
    if (wanted > 1) node.obstacle = { kind: 'pace' };
    if (s.nowMs - node.lastPacedMs < s.options.coldStartPaceMs) return;
    count = 1;
  }
  if (!ensureOwner(s, node)) {
    node.obstacle = { kind: 'owner' };
    return;
  }
  for (let n = 0; n < count; n++) {
    const placed = start(s, node);
    if (placed === undefined) return;
    if (typeof placed !== 'string') continue;
    const missing = count - n;
    node.obstacle = { kind: 'room', missing, why: placed };
    sayNoRoom(s, node, `no worker has room for ${missing} more (${placed})`);
    return;
  }
  node.lastPacedMs = s.nowMs;
}

/** It is looked at four times a second: said when it begins, and when it changes, not more often than this. */
const NO_ROOM_EVERY_MS = 10_000;

function sayNoRoom(s: LeaderState, node: FunctionNode, message: string): void {
  if (message === node.noRoom || s.nowMs - node.noRoomSaidMs < NO_ROOM_EVERY_MS) return;
  node.noRoom = message;
  node.noRoomSaidMs = s.nowMs;
  s.functionEvent('no-capacity', node.record.spec.name, message);
}

/** S4. What nobody serves yet comes before what serves already. */
function relocate(s: LeaderState, node: FunctionNode, total: number, leaving: readonly Placed[]): void {
  const lacking = Math.max(0, node.desired - total);
  const missing = node.desired - (total - leaving.length);
  if (lacking > 0) grow(s, node, lacking);
  if (missing < 0) shrink(s, node, -missing);
  else if (node.obstacle === undefined) move(s, node, missing - lacking);
  release(s, node, leaving);
}

/** Starts elsewhere what is there already, on workers that are drained. */
function move(s: LeaderState, node: FunctionNode, wanted: number): void {
  if (wanted === 0) return;
  if (s.nowMs < node.backoffUntilMs || !ensureOwner(s, node)) {
    node.obstacle = { kind: s.nowMs < node.backoffUntilMs ? 'backoff' : 'owner' };
    return;
  }
  const count = Math.min(wanted, movesLeft(s));
  for (let n = 0; n < count; n++) {
    const placed = start(s, node);
    if (placed === undefined) return;
    if (typeof placed === 'string') {
      const missing = wanted - n;
      node.obstacle = { kind: 'move', missing, why: placed };
      sayNoRoom(s, node, noRoomToMove(missing, placed));
      return;
    }
    s.moves.add(placed);
  }
}

/** @returns what is started, or in one line why it is started nowhere; undefined: no more before the next tick */
function start(s: LeaderState, node: FunctionNode): Placed | string | undefined {
  const { record } = node;
  if (s.startsLeft === 0) {
    s.deciding.add(record.uid);
    return undefined;
  }
  s.startsLeft--;
  const placed = commandStart(s, node);
  if (typeof placed === 'string') s.roomless.add(record.uid);
  return placed;
}

function commandStart(s: LeaderState, node: FunctionNode): Placed | string {
  const { record } = node;
  const { spec } = record;
  const worker = s.place(spec, node.turn);
  if (typeof worker === 'string') return worker;
  const sandbox = s.nextSandboxId(spec.name);
  const owner = ownerOfNew(s, node);
  const seq = s.command(worker, {
    kind: 'create',
    sandbox,
    uid: record.uid,
    generation: record.generation,
    specIndex: record.specIndex,
    spec,
    trial: false,
    owner,
    artifactSources: s.options.artifactSources,
  });
  if (seq === 0) return `${worker.id} has too many commands waiting`;
  const placed: Placed = {
    id: sandbox,
    uid: record.uid,
    generation: record.generation,
    specIndex: record.specIndex,
    worker,
    state: 'pending',
    address: '',
    pid: 0,
    resources: spec.resources,
    owner,
    withdrawSeq: 0,
    graceMs: spec.timeoutMs,
  };
  s.addCreated(placed, seq);
  s.sandboxEvent('placed', placed, `on ${worker.id}`);
  return placed;
}

/** What has not started yet goes first, then from the worker that is fullest. */
function shrink(s: LeaderState, node: FunctionNode, surplus: number): void {
  assert(s.closed, 'S1: nothing is scaled down before reconciliation closes');
  const { generation, spec } = node.record;
  const rank = (placed: Placed): number =>
    (placed.state === 'ready' || placed.state === 'unconfirmed' ? 0 : 1e9) +
    placed.worker.allocated.sandboxes;
  const candidates = [...node.placed].filter(
    (placed) =>
      placed.generation === generation &&
      placed.state !== 'withdrawing' &&
      placed.state !== 'draining' &&
      !placed.worker.view.draining,
  );
  candidates.sort((a, b) => rank(b) - rank(a));
  const why = whyOf(s, node);
  for (const placed of candidates.slice(0, surplus)) withdraw(s, placed, spec.timeoutMs, why);
}

export function startFailed(s: LeaderState, uid: FunctionUid, sandbox: SandboxId, reason: string): void {
  const node = s.functions.get(uid);
  if (node === undefined) return;
  node.startFailures++;
  node.startFailure = reason;
  node.backoffUntilMs = s.nowMs + Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (node.startFailures - 1));
  s.sandboxEvent('start-failed', { id: sandbox, uid }, reason);
}

/**
 * Sandboxes of older generations go once every live data plane holds the new spec: from then on they get no new request,
 * and what runs on them finishes.
 */
export function retireOld(s: LeaderState, node: FunctionNode): void {
  if (!s.closed) return;
  const { record } = node;
  for (const placed of foreign(s, node))
    withdraw(s, placed, record.spec.timeoutMs, 'another data plane owns its function');
  const old = outdated(node);
  if (old.length === 0) return;
  if (s.liveDataPlanes().some((dataPlane) => dataPlane.specIndex < record.specIndex)) return;
  for (const placed of old)
    withdraw(s, placed, record.spec.timeoutMs, `generation ${record.generation} took over`);
}

const NONE: readonly Placed[] = [];

/** Of an older generation, and not on their way out. */
function outdated({ record, placed }: FunctionNode): readonly Placed[] {
  let old: Placed[] | undefined;
  for (const one of placed) {
    const { generation, state } = one;
    if (generation < record.generation && state !== 'withdrawing' && state !== 'draining')
      (old ??= []).push(one);
  }
  return old ?? NONE;
}
