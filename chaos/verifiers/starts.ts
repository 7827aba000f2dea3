/**
 * Cold starts in flight when a leader dies: everybody is served, and sandboxes started ≤ demand + functions. One more for each
 * function, for the create that was in flight and in nobody's evidence.
 */
import { verdict, type Verdict } from './verdict.ts';

export interface Burst {
  readonly round: number;
  /** Requests at once to each of these; each needs a sandbox of its own. */
  readonly each: number;
  /** By function, as the workers recorded it: sandboxes that were started. */
  readonly starts: ReadonlyMap<string, number>;
  readonly served: number;
  /** Requests that were unanswered when the leader died. */
  readonly openAtKill: number;
}

export function judgeStarts(bursts: readonly Burst[]): Verdict {
  const wrong = bursts.flatMap(({ round, each, starts, served, openAtKill }) => {
    const demand = each * starts.size;
    return [
      ...(served < demand ? [`round ${round}: ${demand - served} of ${demand} were not served`] : []),
      ...(openAtKill < demand ? [`round ${round}: only ${openAtKill} of ${demand} waited at the kill`] : []),
      ...Array.from(starts)
        .filter(([, started]) => started > each + 1)
        .map(([name, started]) => `round ${round}: ${started} sandboxes of ${name} for a demand of ${each}`),
    ];
  });
  if (bursts.length === 0) wrong.push('no burst was seen');
  const told = bursts.map(({ each, starts }) => `${total(starts)} for ${each * starts.size}`);
  return verdict(wrong, `sandboxes started: ${told.join(', ')}`);
}

export function total(starts: ReadonlyMap<string, number>): number {
  return [...starts.values()].reduce((sum, count) => sum + count, 0);
}
