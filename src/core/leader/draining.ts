/**
 * Workers that are to be emptied: what serves there starts elsewhere first.
 *
 *   D1  a sandbox there goes once as many as are wanted are ready elsewhere without it, and with the report that says so: data planes
 *       hear of both at once, and a function at its maximum does not serve from more;
 *   D2  what moves is counted, not paired: a new leader sees sandboxes and no intentions, and goes on where the last one was;
 *   D3  nothing moves before reconciliation closes, and at most limits.drainMoves are on their way at once.
 */
import type { WorkerId } from '../../lib/ids.ts';
import { limits } from '../../lib/limits.ts';
import type { CurrentScale } from '../autoscaler/kpa.ts';
import { isForeign } from './ownership.ts';
import { obstacleOf } from './reason.ts';
import type { FunctionNode, LeaderState, Placed, WorkerNode } from './state.ts';
import type { DrainRow } from './types.ts';
import { withdraw } from './withdrawal.ts';

const NONE: readonly Placed[] = [];

const isStarting = ({ state }: Placed): boolean => state === 'pending' || state === 'starting';

/** Of the current generation and not on their way out, on workers that are drained. */
export function leavingOf(s: LeaderState, node: FunctionNode): readonly Placed[] {
  if (s.draining.size === 0) return NONE;
  let leaving: Placed[] | undefined;
  for (const placed of node.placed) {
    if (!placed.worker.view.draining || placed.generation !== node.record.generation) continue;
    if (placed.state === 'withdrawing' || placed.state === 'draining' || isForeign(s, node, placed)) continue;
    (leaving ??= []).push(placed);
  }
  return leaving ?? NONE;
}

/**
 * The scale as it would be without the drain: what is elsewhere in the place of another is no growth. Until it has decided with all
 * evidence in, a leader cannot tell what has started in another's place from what was there, and counts it; later it knows by its decision.
 */
export function withoutMoves(
  node: FunctionNode,
  { ready, starting }: CurrentScale,
  leaving: readonly Placed[],
): CurrentScale {
  const startingThere = leaving.filter(isStarting).length;
  const startingElsewhere = Math.max(0, starting - startingThere - leaving.length);
  const likely = node.isDecided ? node.desired : ready + startingThere + startingElsewhere;
  const elsewhere = ready + starting - leaving.length;
  const scale = Math.max(elsewhere, Math.min(ready + starting, likely));
  return { ready: Math.min(ready, scale), starting: Math.max(0, scale - ready) };
}

/** D3. */
export function movesLeft({ moves }: LeaderState): number {
  for (const placed of moves) if (!isStarting(placed)) moves.delete(placed);
  return limits.drainMoves - moves.size;
}

/** D1. What has not started yet goes first. */
export function release(s: LeaderState, node: FunctionNode, leaving: readonly Placed[]): void {
  const { generation, spec } = node.record;
  let readyElsewhere = 0;
  for (const placed of node.placed)
    if (placed.state === 'ready' && placed.generation === generation && !placed.worker.view.draining)
      if (!isForeign(s, node, placed)) readyElsewhere++;
  const superfluous = leaving.length - Math.max(0, node.desired - readyElsewhere);
  if (superfluous <= 0) return;
  const inOrder = [...leaving.filter(isStarting), ...leaving.filter((placed) => !isStarting(placed))];
  for (const placed of inOrder.slice(0, superfluous))
    withdraw(s, placed, spec.timeoutMs, `worker ${placed.worker.id} is drained`);
}

/** Its worker reported: it may have begun to be drained, or not be any more. */
export function noteDraining(s: LeaderState, node: WorkerNode): void {
  const { draining } = node.view;
  if (draining === s.draining.has(node)) return;
  if (draining) {
    s.draining.add(node);
    for (const { uid } of node.placed.values()) s.active.add(uid);
    s.nextDecideMs = s.nowMs;
    return;
  }
  s.draining.delete(node);
  if (node.drainTold === 'draining' && node.state !== 'dead')
    s.event('draining', node.id, `ended with ${sandboxes(node.placed.size)} left`);
  node.drainTold = 'nothing';
}

export function tellDraining(s: LeaderState): void {
  if (!s.closed) return;
  for (const node of s.draining) {
    const left = node.placed.size;
    if (left > 0 && node.drainTold === 'nothing') {
      node.drainTold = 'draining';
      s.event('draining', node.id, `${sandboxes(left)} to move`);
    } else if (isEmpty(node) && node.drainTold !== 'drained') {
      node.drainTold = 'drained';
      s.event('drained', node.id, 'nothing runs there');
    }
  }
}

const isEmpty = ({ placed, view }: WorkerNode): boolean => placed.size === 0 && view.hasInventory;

function sandboxes(count: number): string {
  return count === 1 ? '1 sandbox' : `${count} sandboxes`;
}

/** Undefined: there is no such worker. */
export function drainOf(s: LeaderState, worker: WorkerId): DrainRow | undefined {
  const node = s.workers.get(worker);
  const phase = phaseOf(s, node);
  if (phase === undefined) return undefined;
  if (node === undefined || phase !== 'draining')
    return { worker, phase, left: node?.placed.size ?? 0, moving: 0, finishing: 0, waiting: [] };
  const leaving = new Map<FunctionNode, number>();
  let finishing = 0;
  for (const placed of node.placed.values()) {
    const fn = s.functions.get(placed.uid);
    if (placed.state === 'withdrawing' || placed.state === 'draining') finishing++;
    else if (fn !== undefined) leaving.set(fn, (leaving.get(fn) ?? 0) + 1);
  }
  let moving = 0;
  const waiting = node.state === 'silent' ? [`${worker} does not report`] : [];
  for (const [fn, count] of leaving) {
    moving += Math.min(count, startingElsewhere(fn));
    const line = lineOf(s, fn);
    if (line !== undefined && waiting.length < limits.drainReasons) waiting.push(line);
  }
  return { worker, phase, left: node.placed.size, moving, finishing, waiting };
}

function phaseOf(s: LeaderState, node: WorkerNode | undefined): DrainRow['phase'] | undefined {
  if (node?.state === 'dead') return 'dead';
  if (node?.heard !== true) return s.closed ? undefined : 'reconciling';
  if (!node.view.draining) return 'none';
  if (!s.closed) return 'reconciling';
  return isEmpty(node) ? 'drained' : 'draining';
}

function startingElsewhere({ placed, record }: FunctionNode): number {
  let count = 0;
  for (const one of placed)
    if (isStarting(one) && one.generation === record.generation && !one.worker.view.draining) count++;
  return count;
}

function lineOf(s: LeaderState, node: FunctionNode): string | undefined {
  const { obstacle, record } = node;
  const { name } = record.spec;
  if (obstacle?.kind === 'room' || obstacle?.kind === 'move')
    return `no room elsewhere for ${name} (${obstacle.why})`;
  const why = obstacleOf(s, node);
  return why === undefined ? undefined : `${name}: ${why}`;
}
