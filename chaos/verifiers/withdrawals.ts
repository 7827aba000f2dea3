/** No endpoint leaves a table while its sandbox serves: for times in which nothing is scaled (R2). */
import { verdict, type Verdict } from './verdict.ts';

export class Withdrawals {
  /** "sandbox from data plane", each once. */
  readonly wrong: Set<string> = new Set();
  readonly #expected: readonly string[];
  #looks = 0;

  /** @param expected sandboxes that serve now, and so must stay */
  constructor(expected: readonly string[]) {
    this.#expected = expected;
  }

  /** @param alive what workers have after the table was looked at: asked only where something is missing */
  saw(dataPlane: string, held: readonly string[], alive: () => readonly string[]): void {
    this.#looks++;
    const missing = this.#expected.filter((id) => !held.includes(id));
    if (missing.length === 0) return;
    const serving = alive();
    for (const id of missing) if (serving.includes(id)) this.wrong.add(`${id} from ${dataPlane}`);
  }

  /** @param ended sandboxes that ended: there was no reason for those that must stay */
  verdict(ended: readonly string[]): Verdict {
    const wrong = [
      ...Array.from(this.wrong, (what) => `${what} although it serves`),
      ...this.#expected.filter((id) => ended.includes(id)).map((id) => `${id} ended`),
    ];
    if (this.#looks === 0 || this.#expected.length === 0) wrong.push('nothing was looked at');
    return verdict(wrong, `${this.#expected.length} sandboxes stayed, in ${this.#looks} looks at tables`);
  }
}
