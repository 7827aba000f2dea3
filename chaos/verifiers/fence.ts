/** FENCE: no participant acts under a lower fence after it has acted under a higher one. */
import { verdict, type Verdict } from './verdict.ts';

export interface SeenFence {
  readonly epoch: number;
  readonly term: number;
}

export class FenceWitness {
  readonly violations: string[] = [];
  readonly #onViolation: (what: string) => void;
  readonly #highest = new Map<string, SeenFence>();
  #seen = 0;

  constructor(onViolation: (what: string) => void = () => undefined) {
    this.#onViolation = onViolation;
  }

  /** @param participant with what remembers its fence in its name: a life, where nothing survives it */
  see(participant: string, fence: SeenFence): void {
    this.#seen++;
    const highest = this.#highest.get(participant);
    const order = highest === undefined ? 1 : fence.epoch - highest.epoch || fence.term - highest.term;
    if (highest === undefined || order >= 0) {
      this.#highest.set(participant, { epoch: fence.epoch, term: fence.term });
      return;
    }
    const what = `${participant} goes from ${tell(highest)} back to ${tell(fence)}`;
    this.violations.push(what);
    this.#onViolation(what);
  }

  get participants(): number {
    return this.#highest.size;
  }

  get seen(): number {
    return this.#seen;
  }
}

/** A witness that saw nothing shows nothing. */
export function judgeFences({ violations, participants, seen }: FenceWitness): Verdict {
  const wrong = seen === 0 ? ['nobody was seen to act'] : violations;
  return verdict(wrong, `${seen} acts of ${participants} participants`);
}

const tell = ({ epoch, term }: SeenFence): string => (epoch > 1 ? `term ${epoch}/${term}` : `term ${term}`);
