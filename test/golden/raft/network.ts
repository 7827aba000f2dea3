/** Messages on their way, oldest first; links that lose them, and a shelf for those that arrive late. */
import type { RaftMessage } from '../../../src/core/raft/types.ts';

/** `r1->r2`, `r1->*`, `*->r2`, `r1-r2` (both ways), or `*`. */
export type Links = (message: RaftMessage) => boolean;

/** @throws Error when it is none of the forms of {@link Links} */
export function links(text: string): Links {
  const match = /^(\*|r\d)(->|-)(\*|r\d)$/.exec(text);
  if (text !== '*' && match === null) throw new Error(`no links: ${text}`);
  const [, a = '*', arrow = '->', b = '*'] = match ?? [];
  const goes = (from: string, to: string, message: RaftMessage): boolean =>
    (from === '*' || from === message.from) && (to === '*' || to === message.to);
  return (message) => goes(a, b, message) || (arrow === '-' && goes(b, a, message));
}

export class Network {
  #flying: RaftMessage[] = [];
  #late: RaftMessage[] = [];
  #cuts: Links[] = [];

  /** @returns false: lost on a link that is cut */
  post(message: RaftMessage): boolean {
    if (this.#cuts.some((cut) => cut(message))) return false;
    this.#flying.push(message);
    return true;
  }

  /** The oldest message on these links, taken off them. */
  next(on: Links): RaftMessage | undefined {
    const at = this.#flying.findIndex(on);
    return at < 0 ? undefined : this.#flying.splice(at, 1)[0];
  }

  count(on: Links): number {
    return this.#flying.filter(on).length;
  }

  pending(): readonly RaftMessage[] {
    return this.#flying;
  }

  /** @returns those that were lost */
  drop(on: Links): readonly RaftMessage[] {
    return this.#take(on);
  }

  duplicate(on: Links): void {
    this.#flying.push(...this.#flying.filter(on));
  }

  /** What is on its way there arrives after `arrive` only. @returns those put aside */
  delay(on: Links): readonly RaftMessage[] {
    const late = this.#take(on);
    this.#late.push(...late);
    return late;
  }

  arrive(): void {
    this.#flying.push(...this.#late);
    this.#late = [];
  }

  cut(on: Links): void {
    this.#cuts.push(on);
  }

  heal(): void {
    this.#cuts = [];
  }

  #take(on: Links): readonly RaftMessage[] {
    const taken = this.#flying.filter(on);
    this.#flying = this.#flying.filter((message) => !on(message));
    return taken;
  }
}
