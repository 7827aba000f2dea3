/** Malformed messages: counted by kind, logged once per kind, dropped. */
import { AssertionError } from '../lib/assert.ts';
import { explain } from '../lib/errors.ts';
import type { Logger } from '../ports/system.ts';

export class DropCounter {
  readonly #logger: Logger;
  readonly #counts = new Map<string, number>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /**
   * Runs the work on one message; what it throws costs that message.
   * @throws AssertionError of the work: that is no malformed message, what holds the state is broken
   */
  guard(kind: string, from: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      const count = (this.#counts.get(kind) ?? 0) + 1;
      this.#counts.set(kind, count);
      if (count === 1)
        this.#logger.warn(
          { kind, from, error: explain(error) },
          'message dropped; further ones are only counted',
        );
    }
  }

  counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }
}
