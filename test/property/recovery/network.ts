/**
 * What lies between the members of the model cluster. Every pair can be parted, each way by itself; every member has a
 * connection to the bus that can be cut silently, and weather of its own, for all that it sends and receives or for one kind of
 * message; and the bus as a whole can be away.
 */
import { unreachable } from '../../../src/lib/assert.ts';
import type { Prng } from '../../../src/lib/prng.ts';
import type { EventQueue } from '../../sim/event-queue.ts';
import type { Fate } from '../../sim/sim-bus.ts';

/** `lossy` loses a third; `slow` delays, in order; `unordered` delays each as it likes; `repeating` delivers again, later. */
export type Weather = 'clear' | 'lossy' | 'slow' | 'unordered' | 'repeating';

export const STREAMS = [
  'heartbeats',
  'commands',
  'endpoint batches',
  'spec batches',
  'beacons',
  'reports',
  'pulls',
  'raft messages',
] as const;
export type Stream = (typeof STREAMS)[number];
export type Concern = Stream | 'messages';

/** As the member sees it: `in` is what others send. */
export type Direction = 'in' | 'out';

/** Counts by what was done to which kind of message: "lost heartbeats". */
export type Struck = Record<string, number>;

const LATENCY_MS = 1;
const LATE_MS = 400;

const LOST: Fate = { isLost: true, lateMs: 0, keepsOrder: true, againMs: undefined };
const CLEAR: Fate = { ...LOST, isLost: false };

interface Member {
  readonly weather: Map<Concern, Exclude<Weather, 'clear'>>;
  readonly cut: Set<Direction>;
}

export class Network {
  readonly struck: Struck = {};
  readonly #queue: EventQueue;
  readonly #random: Prng;
  readonly #members = new Map<string, Member>();
  /** "a>b": what a sends does not reach b. */
  readonly #parted = new Set<string>();
  /** By pair: when the last message that keeps its place arrives, and when the last one at all does. */
  readonly #lastMs = new Map<string, number>();
  readonly #latestMs = new Map<string, number>();
  /** How many of those who took the bus away have not given it back. */
  #away = 0;
  /** Replicas hear nothing of one another until then. */
  #raftSilentUntilMs = 0;

  constructor(queue: EventQueue, random: Prng) {
    this.#queue = queue;
    this.#random = random;
  }

  #member(id: string): Member {
    let member = this.#members.get(id);
    if (member === undefined) {
      member = { weather: new Map(), cut: new Set() };
      this.#members.set(id, member);
    }
    return member;
  }

  cut(member: string, directions: readonly Direction[]): void {
    for (const direction of directions) this.#member(member).cut.add(direction);
  }

  heal(member: string): void {
    this.#member(member).cut.clear();
  }

  part(from: string, to: string): void {
    this.#parted.add(`${from}>${to}`);
  }

  /** Both ways. */
  join(a: string, b: string): void {
    this.#parted.delete(`${a}>${b}`);
    this.#parted.delete(`${b}>${a}`);
  }

  weather(member: string, weather: Weather, concern: Concern): void {
    if (weather === 'clear') this.#member(member).weather.clear();
    else this.#member(member).weather.set(concern, weather);
  }

  busAway(): void {
    this.#away++;
  }

  /** False: somebody else keeps it away. */
  busBack(): boolean {
    this.#away = Math.max(0, this.#away - 1);
    return this.#away === 0;
  }

  get hasBus(): boolean {
    return this.#away === 0;
  }

  silenceRaft(forMs: number): void {
    this.#raftSilentUntilMs = this.#queue.nowMs + forMs;
  }

  healAll(): void {
    this.#away = 0;
    this.#raftSilentUntilMs = 0;
    this.#parted.clear();
    for (const member of this.#members.values()) {
      member.weather.clear();
      member.cut.clear();
    }
  }

  /** Whether a probe from one to the other comes back: the server answers for those who are not there, and for them alone. */
  isCut(from: string, to: string): boolean {
    const isPairCut = this.#parted.has(`${from}>${to}`) || this.#parted.has(`${to}>${from}`);
    return !this.hasBus || isPairCut || this.#member(from).cut.size > 0 || this.#member(to).cut.size > 0;
  }

  /** By a connection of its own, without the bus: a request to a sandbox or a peer. */
  reaches(from: string, to: string): boolean {
    return !this.#parted.has(`${from}>${to}`) && !this.#parted.has(`${to}>${from}`);
  }

  #isBlocked(from: string, to: string, stream: Stream): boolean {
    if (stream === 'raft messages' && this.#queue.nowMs < this.#raftSilentUntilMs) return true;
    return (
      !this.hasBus ||
      this.#parted.has(`${from}>${to}`) ||
      this.#member(from).cut.has('out') ||
      this.#member(to).cut.has('in')
    );
  }

  #weatherOf(from: string, to: string, stream: Stream): Weather {
    for (const id of [from, to]) {
      const { weather } = this.#member(id);
      const found = weather.get(stream) ?? weather.get('messages');
      if (found !== undefined) return found;
    }
    return 'clear';
  }

  #strike(how: string, stream: Stream): void {
    const what = `${how} ${stream}`;
    this.struck[what] = (this.struck[what] ?? 0) + 1;
  }

  /** What becomes of one message over the bus: it arrives at most once, except in repeating weather. */
  fate(from: string, to: string, stream: Stream): Fate {
    if (this.#isBlocked(from, to, stream)) return this.#lose('withheld', stream);
    const weather = this.#weatherOf(from, to, stream);
    switch (weather) {
      case 'clear':
        return CLEAR;
      case 'lossy':
        return this.#random.below(3) === 0 ? this.#lose('lost', stream) : CLEAR;
      case 'slow':
      case 'unordered':
        this.#strike('delayed', stream);
        return { ...CLEAR, lateMs: this.#random.below(LATE_MS), keepsOrder: weather === 'slow' };
      case 'repeating':
        this.#strike('repeated', stream);
        return { ...CLEAR, againMs: this.#random.below(LATE_MS) };
      default:
        return unreachable(weather, 'weather');
    }
  }

  #lose(how: string, stream: Stream): Fate {
    this.#strike(how, stream);
    return LOST;
  }

  pass(from: string, to: string, stream: Stream, deliver: () => void): void {
    const { isLost, lateMs, keepsOrder, againMs } = this.fate(from, to, stream);
    if (isLost) return;
    const { nowMs } = this.#queue;
    let dueMs = nowMs + LATENCY_MS + lateMs;
    const pair = `${from}>${to}`;
    if (keepsOrder) {
      dueMs = Math.max(dueMs, this.#lastMs.get(pair) ?? 0);
      this.#lastMs.set(pair, dueMs);
    }
    if (dueMs < (this.#latestMs.get(pair) ?? 0)) this.#strike('reordered', stream);
    else this.#latestMs.set(pair, dueMs);
    this.#queue.after(dueMs - nowMs, deliver);
    if (againMs !== undefined) this.#queue.after(LATENCY_MS + againMs, deliver);
  }
}
