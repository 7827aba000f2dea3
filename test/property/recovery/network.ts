/** What lies between a member (worker or data plane) and whoever leads: one link per member, with its own weather. */
import type { Prng } from '../../../src/lib/prng.ts';
import type { EventQueue } from '../../sim/event-queue.ts';

/** `lossy` loses a third; `slow` delays, in order; `unordered` delays each as it likes; `repeating` delivers again, later. */
export type Weather = 'clear' | 'lossy' | 'slow' | 'unordered' | 'repeating';

/** As the member sees it: `in` is what the leader sends. */
export type Direction = 'in' | 'out';

const LATENCY_MS = 1;
const LATE_MS = 400;

interface Link {
  weather: Weather;
  readonly cut: Set<Direction>;
  /** When the last message in order arrives. */
  readonly lastMs: Record<Direction, number>;
}

export class Network {
  readonly #queue: EventQueue;
  readonly #random: Prng;
  readonly #links = new Map<string, Link>();

  constructor(queue: EventQueue, random: Prng) {
    this.#queue = queue;
    this.#random = random;
  }

  #link(member: string): Link {
    let link = this.#links.get(member);
    if (link === undefined) {
      link = { weather: 'clear', cut: new Set(), lastMs: { in: 0, out: 0 } };
      this.#links.set(member, link);
    }
    return link;
  }

  cut(member: string, directions: readonly Direction[]): void {
    for (const direction of directions) this.#link(member).cut.add(direction);
  }

  isCut(member: string): boolean {
    return this.#link(member).cut.size > 0;
  }

  weather(member: string, weather: Weather): void {
    this.#link(member).weather = weather;
  }

  heal(member: string): void {
    this.#link(member).cut.clear();
  }

  healAll(): void {
    for (const link of this.#links.values()) {
      link.weather = 'clear';
      link.cut.clear();
    }
  }

  /** At most once, except in repeating weather. */
  pass(member: string, direction: Direction, deliver: () => void): void {
    const link = this.#link(member);
    if (link.cut.has(direction)) return;
    const random = this.#random;
    if (link.weather === 'lossy' && random.below(3) === 0) return;
    const isLate = link.weather === 'slow' || link.weather === 'unordered';
    const { nowMs } = this.#queue;
    let dueMs = nowMs + LATENCY_MS + (isLate ? random.below(LATE_MS) : 0);
    if (link.weather !== 'unordered') {
      dueMs = Math.max(dueMs, link.lastMs[direction]);
      link.lastMs[direction] = dueMs;
    }
    this.#queue.after(dueMs - nowMs, deliver);
    if (link.weather === 'repeating') this.#queue.after(LATENCY_MS + random.below(LATE_MS), deliver);
  }
}
