/** No endpoint leaves a table while its sandbox serves: for times in which nothing is scaled (R2). */
import { verdict, type Verdict } from './verdict.ts';

export class Withdrawals {
  /** By "sandbox from data plane": when it was first missing, by the chronicle. */
  readonly wrong: Map<string, number> = new Map();
  readonly #expected: readonly string[];
  #looks = 0;

  /** @param expected sandboxes that serve now, and so must stay */
  constructor(expected: readonly string[]) {
    this.#expected = expected;
  }

  /** @param alive what workers have after the table was looked at: asked only where something is missing */
  saw(dataPlane: string, held: readonly string[], alive: () => readonly string[], atMs: number): void {
    this.#looks++;
    const missing = this.#expected.filter((id) => !held.includes(id));
    if (missing.length === 0) return;
    const serving = alive();
    for (const id of missing) {
      const what = `${id} from ${dataPlane}`;
      if (serving.includes(id) && !this.wrong.has(what)) this.wrong.set(what, atMs);
    }
  }

  /**
   * @param ended sandboxes that ended: there was no reason for those that must stay
   * @param isExcused there was a reason to take their worker for dead, then
   */
  verdict(ended: readonly string[], isExcused: (atMs: number) => boolean = () => false): Verdict {
    const wrong = [
      ...Array.from(
        [...this.wrong].filter(([, atMs]) => !isExcused(atMs)),
        ([what, atMs]) => `${what} at ${(atMs / 1_000).toFixed(2)} s although it serves`,
      ),
      ...this.#expected.filter((id) => ended.includes(id)).map((id) => `${id} ended`),
    ];
    if (this.#looks === 0 || this.#expected.length === 0) wrong.push('nothing was looked at');
    return verdict(wrong, `${this.#expected.length} sandboxes stayed, in ${this.#looks} looks at tables`);
  }
}
