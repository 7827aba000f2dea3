/** Bytes from the bus that nobody can read: counted, logged once per kind, dropped. */
import type { Counter } from 'prom-client';
import { explain } from '../lib/errors.ts';
import type { Logger } from '../ports/system.ts';

export class MalformedMessages {
  readonly #logger: Logger;
  readonly #counter: Counter<'kind'>;
  readonly #seen = new Set<string>();

  constructor(logger: Logger, counter: Counter<'kind'>) {
    this.#logger = logger;
    this.#counter = counter;
  }

  /** Undefined when the bytes are not what they should be. */
  decode<T>(
    kind: string,
    subject: string,
    bytes: Uint8Array,
    decode: (bytes: Uint8Array) => T,
  ): T | undefined {
    try {
      return decode(bytes);
    } catch (error) {
      this.#counter.inc({ kind });
      if (!this.#seen.has(kind)) {
        this.#seen.add(kind);
        this.#logger.warn(
          { kind, subject, error: explain(error) },
          'dropping malformed messages of this kind',
        );
      }
      return undefined;
    }
  }
}
