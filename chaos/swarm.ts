/**
 * Which faults strike together: drawn from the seed, strike by strike. For a spell of strikes half of the kinds are left out, so that
 * those that remain come often and follow one another; in the next spell it is another half.
 *
 *   S1  faults of one instant touch different groups: two that touch the same could take away what must go on (a majority, say);
 *   S2  what is drawn depends on the seed and on the number of the strike alone.
 */
import type { Prng } from '../src/lib/prng.ts';
import type { Play } from './play.ts';

/** Replicas; what connects them; everything else. */
export type Group = 'control' | 'bus' | 'edge';

export interface SwarmFault {
  readonly kind: string;
  readonly groups: readonly Group[];
  readonly strike: (play: Play, random: Prng) => Promise<void>;
}

const SPELL = 5;
/** Of strikes: two faults in the same instant. */
const PAIR_PCT = 35;

/** @param n counts strikes from 0 */
export function drawStrike<Fault extends Pick<SwarmFault, 'groups'>>(
  faults: readonly Fault[],
  random: Prng,
  n: number,
): Fault[] {
  const spell = random.fork(`spell ${Math.floor(n / SPELL)}`);
  const order = faults
    .map((fault) => ({ fault, at: spell.float() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ fault }) => fault);
  const enabled = order.slice(0, Math.ceil(order.length / 2));
  const draw = random.fork(`strike ${n}`);
  const first = enabled[draw.below(enabled.length)];
  if (first === undefined) return [];
  const others = enabled.filter(({ groups }) => !groups.some((group) => first.groups.includes(group)));
  const second = draw.below(100) < PAIR_PCT ? others[draw.below(Math.max(1, others.length))] : undefined;
  return second === undefined ? [first] : [first, second];
}
