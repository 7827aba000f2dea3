/** How much of a scenario is played: so many times, or until a time is over. */
import { assert } from '../src/lib/assert.ts';

/** What was asked for; both undefined: what is usual for the scenario. */
export interface Asked {
  readonly count?: number | undefined;
  readonly faultsMs?: number | undefined;
}

export type Usual =
  | { readonly kind: 'times'; readonly count: number }
  /** @see Extent.goesOn for `least` */
  | { readonly kind: 'time'; readonly faultsMs: number; readonly least: number };

export class Extent {
  readonly #usual: Usual;
  readonly #unit: string;
  readonly #now: () => number;
  readonly #beganMs: number;

  /**
   * A time begins now.
   * @param unit what is counted, for people: "round"
   */
  constructor({ count, faultsMs }: Asked, usual: Usual, unit: string, now: () => number) {
    assert(count === undefined || faultsMs === undefined, 'a count or a time');
    if (count !== undefined) this.#usual = { kind: 'times', count };
    else if (faultsMs === undefined) this.#usual = usual;
    else this.#usual = { kind: 'time', faultsMs, least: usual.kind === 'time' ? usual.least : 1 };
    this.#unit = unit;
    this.#now = now;
    this.#beganMs = now();
  }

  /** Whether there is another one after so many. As many as the least, however long they take. */
  goesOn(done: number): boolean {
    const usual = this.#usual;
    return usual.kind === 'times'
      ? done < usual.count
      : done < usual.least || this.#leftMs(usual.faultsMs) > 0;
  }

  /** How many must have been, after so many: fewer show nothing. */
  due(done: number): number {
    return this.#usual.kind === 'times' ? this.#usual.count : Math.max(this.#usual.least, done);
  }

  /** The next one, for people. */
  tell(done: number): string {
    const usual = this.#usual;
    const which = `${this.#unit} ${done + 1}`;
    if (usual.kind === 'times') return `${which} of ${usual.count}`;
    return `${which}, ${Math.ceil(this.#leftMs(usual.faultsMs) / 1_000)} s to go`;
  }

  #leftMs(faultsMs: number): number {
    return Math.max(0, this.#beganMs + faultsMs - this.#now());
  }
}
