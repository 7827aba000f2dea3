/**
 * What no healthy cluster can ever show, whoever looks at it and when:
 *
 *   election safety       two leaders of one term;
 *   state-machine safety  two state hashes at one applied index (HASH).
 */
export class Agreement {
  /** Who has led each term. */
  readonly leaders: Map<number, string> = new Map();
  readonly violations: string[] = [];
  readonly #onViolation: (what: string) => void;
  readonly #hashes = new Map<number, { readonly hash: string; readonly id: string }>();

  constructor(onViolation: (what: string) => void = () => undefined) {
    this.#onViolation = onViolation;
  }

  /** @returns true when nobody was known to lead this term */
  leads(id: string, term: number): boolean {
    const known = this.leaders.get(term);
    if (known === undefined) this.leaders.set(term, id);
    else if (known !== id) this.#violate(`election safety: ${known} and ${id} both led in term ${term}`);
    return known === undefined;
  }

  holds(id: string, appliedIndex: number, hash: string): void {
    const known = this.#hashes.get(appliedIndex);
    if (known === undefined) this.#hashes.set(appliedIndex, { hash, id });
    else if (known.hash !== hash)
      this.#violate(
        `state-machine safety: at index ${appliedIndex} ${known.id} has state ${known.hash} and ${id} has ${hash}`,
      );
  }

  /** Said once, however often it is looked at. */
  #violate(what: string): void {
    if (this.violations.includes(what)) return;
    this.violations.push(what);
    this.#onViolation(what);
  }
}
