/** Why a function is at its scale: the load that was measured, and what held the scale. */

export type BoundKind =
  'activation' | 'rate-up' | 'rate-down' | 'delay' | 'watching' | 'last-sandbox' | 'min' | 'max';

export interface Bound {
  readonly kind: BoundKind;
  /** The scale that it led to. */
  readonly scale: number;
  /** When it stops holding, if nothing changes. */
  readonly untilMs?: number;
}

export interface Explanation {
  /** Requests at once over the stable window. */
  readonly stableLoad: number;
  /** The load that the panic window counts. */
  readonly panicLoad: number;
  /** Requests at once that a sandbox should have. */
  readonly target: number;
  readonly stableWindowMs: number;
  /** What the load asks for, before any limit. */
  readonly wanted: number;
  /** Undefined: the stable window rules. */
  readonly panicUntilMs: number | undefined;
  /** Room beyond the load and the burst capacity; below zero the present load counts at once. */
  readonly excessBurst: number;
  /** What decided in the end; undefined: the load did. */
  readonly bound: Bound | undefined;
}

/** One line for people. */
export function explain(why: Explanation, nowMs: number): string {
  const load = loadOf(why, nowMs);
  return why.bound === undefined ? load : `${load}; ${explainBound(why.bound, nowMs)}`;
}

function loadOf(why: Explanation, nowMs: number): string {
  const { panicUntilMs, target, wanted } = why;
  const asks = `${sandboxes(wanted)} for ${amount(target)} each`;
  if (panicUntilMs !== undefined) {
    const load = amount(Math.max(why.panicLoad, why.stableLoad));
    return `panic: ${load} at once needs ${asks}; no scale-down for ${left(panicUntilMs, nowMs)}`;
  }
  if (wanted === 0) return 'idle';
  return `${amount(why.stableLoad)} at once over ${duration(why.stableWindowMs)} needs ${asks}`;
}

export function explainBound({ kind, scale, untilMs }: Bound, nowMs: number): string {
  const time = untilMs === undefined ? '' : left(untilMs, nowMs);
  switch (kind) {
    case 'activation':
      return `activation scale ${scale}`;
    case 'rate-up':
      return `maxScaleUpRate allows ${scale} for now`;
    case 'rate-down':
      return `maxScaleDownRate allows ${scale} for now`;
    case 'delay':
      return `scaleDownDelayMs keeps ${scale} for ${time}`;
    case 'watching':
      return `not watched for a whole stable window yet: ${scale} for ${time}`;
    case 'last-sandbox':
      return `scaleToZeroGraceMs keeps ${scale} for ${time}`;
    case 'min':
      return `min ${scale}`;
    case 'max':
      return `max ${scale}`;
    default:
      return kind satisfies never;
  }
}

function sandboxes(count: number): string {
  return count === 1 ? '1 sandbox' : `${count} sandboxes`;
}

function amount(load: number): string {
  return String(Number(load.toFixed(2)));
}

function left(untilMs: number, nowMs: number): string {
  return `another ${duration(Math.max(0, untilMs - nowMs))}`;
}

function duration(ms: number): string {
  return ms < 1_000 ? `${Math.ceil(ms)} ms` : `${Math.ceil(ms / 1_000)} s`;
}
