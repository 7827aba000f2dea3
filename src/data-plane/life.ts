/**
 * Which life of its id this process is. Nothing is kept on a disk for it: a later life has a later wall clock. Where the clock
 * was set back in between, the leader still remembers a life that looks later, hears nothing of this one, and waits for it no
 * more. So a leader that is asked says which life it has heard of, and this one takes a later place than that, once, before it
 * was ever heard. After that, a later life is another process that claims the same id.
 */
import type { DataPlaneId } from '../lib/ids.ts';
import { type Incarnation, orderIncarnation } from '../core/model/fence.ts';

/**
 * `heard`: the leader has heard of this life. `unheard`: not yet. `raised`: it never would have; this life is a later one now.
 * `rival`: another process claims this id, and is the one that is heard.
 */
export type LifeStanding = 'heard' | 'unheard' | 'raised' | 'rival';

export class Life {
  readonly dataPlane: DataPlaneId;
  #incarnation: Incarnation;
  #isHeard = false;

  constructor(dataPlane: DataPlaneId, wallMs: number, nonce: number) {
    this.dataPlane = dataPlane;
    this.#incarnation = { ms: wallMs, nonce };
  }

  get incarnation(): Incarnation {
    return this.#incarnation;
  }

  get isHeard(): boolean {
    return this.#isHeard;
  }

  /** @param heard of this id, by the leader that answers; all zeroes: of none; undefined: it is too old to tell */
  told(heard: Incarnation | undefined): LifeStanding {
    if (heard === undefined) {
      this.#isHeard = true;
      return 'heard';
    }
    const order = orderIncarnation(heard, this.#incarnation);
    switch (order) {
      case 'same':
        this.#isHeard = true;
        return 'heard';
      case 'older':
        return 'unheard';
      case 'newer':
      case 'duplicate':
        if (this.#isHeard) return 'rival';
        this.#incarnation = { ...this.#incarnation, ms: heard.ms + 1 };
        return 'raised';
      default:
        return order satisfies never;
    }
  }
}
