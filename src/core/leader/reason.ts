/** Why a function has the scale that it has, in one line for people: what was decided, and what is being waited for. */
import { explain, explainBound, type Explanation } from '../autoscaler/explanation.ts';
import type { FunctionNode, LeaderState } from './state.ts';
import type { DecisionView, ScaleView } from './types.ts';

const FAILURE_LENGTH = 200;
const RECONCILING = 'nothing is scaled down before reconciliation closes';

/** What was decided. */
export function whyOf(
  s: LeaderState,
  { decision, desired, rolloutFloor, record, obstacle }: FunctionNode,
): string {
  if (decision === undefined) return 'idle';
  const parts = [explain(decision.why, s.nowMs)];
  if (rolloutFloor > decision.desired && desired === rolloutFloor)
    parts.push(
      record.generation === 1
        ? `begins with ${rolloutFloor}`
        : `begins with ${rolloutFloor}, as the generation before it had`,
    );
  if (obstacle?.kind === 'reconciling') parts.push(RECONCILING);
  return parts.join('; ');
}

/** The same, and what is being waited for. */
export function reasonOf(s: LeaderState, node: FunctionNode, starting: number): string {
  return [whyOf(s, node), ...waitedFor(s, node, starting)].join('; ');
}

function waitedFor(s: LeaderState, node: FunctionNode, starting: number): string[] {
  const parts: string[] = [];
  if (starting > 0) parts.push(`waiting for ${starting === 1 ? '1 start' : `${starting} starts`}`);
  const obstacle = obstacleOf(s, node);
  if (obstacle !== undefined) parts.push(obstacle);
  return parts;
}

export function scaleView(
  s: LeaderState,
  node: FunctionNode,
  { ready, starting }: Pick<ScaleView, 'ready' | 'starting'>,
): ScaleView {
  const { desired, decision, decidedMs, change, rolloutFloor } = node;
  return {
    ready,
    starting,
    desired,
    load: node.scaler.latest,
    reason: reasonOf(s, node, starting),
    decision: decision && decisionView(decision.why, s.nowMs, s.nowMs - decidedMs),
    beginsWith: rolloutFloor,
    waitingFor: [
      ...(node.obstacle?.kind === 'reconciling' ? [RECONCILING] : []),
      ...waitedFor(s, node, starting),
    ],
    change: change && { from: change.from, to: change.to, why: change.why, msAgo: s.nowMs - change.atMs },
  };
}

function decisionView(why: Explanation, nowMs: number, msAgo: number): DecisionView {
  const { bound, panicUntilMs, wanted } = why;
  return {
    msAgo,
    rule: panicUntilMs === undefined ? (wanted === 0 ? 'idle' : 'stable') : 'panic',
    stableLoad: why.stableLoad,
    panicLoad: why.panicLoad,
    target: why.target,
    stableWindowMs: why.stableWindowMs,
    wanted,
    panicLeftMs: panicUntilMs && Math.max(0, panicUntilMs - nowMs),
    bound: bound && {
      kind: bound.kind,
      scale: bound.scale,
      leftMs: bound.untilMs && Math.max(0, bound.untilMs - nowMs),
      text: explainBound(bound, nowMs),
    },
  };
}

/** What it waits for, beside starts that are on their way. */
export function obstacleOf(s: LeaderState, node: FunctionNode): string | undefined {
  const { obstacle } = node;
  switch (obstacle?.kind) {
    case undefined:
    case 'reconciling':
      return undefined;
    case 'backoff': {
      const line = node.startFailure.split('\n', 1)[0]?.slice(0, FAILURE_LENGTH) ?? '';
      const failed = node.startFailures <= 1 ? 'its last start' : `its last ${node.startFailures} starts`;
      const waitMs = Math.max(0, Math.ceil(node.backoffUntilMs - s.nowMs));
      return `${failed} failed (${line}); next try in ${waitMs} ms`;
    }
    case 'pace':
      return `one start per ${s.options.coldStartPaceMs} ms before reconciliation closes`;
    case 'owner':
      return 'waiting for a data plane to own it';
    case 'room':
      return `no worker has room for ${obstacle.missing} more (${obstacle.why})`;
    case 'move':
      return noRoomToMove(obstacle.missing, obstacle.why);
    default:
      return obstacle satisfies never;
  }
}

export function noRoomToMove(missing: number, why: string): string {
  return `no worker has room for ${missing} that ${missing === 1 ? 'is' : 'are'} on workers that are drained (${why})`;
}
