/** How the programs among the tests read their flags: what is wrong is one line and exit code 2. */
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { writable } from '../../cluster/result-file.ts';
import { isBatonError } from '../../src/lib/errors.ts';

export class Flags {
  readonly #program: string;

  constructor(program: string) {
    this.#program = program;
  }

  refuse(why: string): never {
    process.stderr.write(`${this.#program}: ${why}\n`);
    process.exit(2);
  }

  parse<const T extends NonNullable<ParseArgsConfig['options']>>(
    options: T,
  ): ReturnType<typeof parseArgs<{ options: T }>>['values'] {
    try {
      return parseArgs({ options }).values;
    } catch (error) {
      const flags = Object.keys(options).map((flag) => `--${flag}`);
      return this.refuse(`${(error as Error).message} — there is ${flags.join(', ')}`);
    }
  }

  /** @param least 1 where none at all would show nothing, and pass */
  whole(flag: string, text: string, least = 0): number {
    if (/^\d{1,12}$/.test(text) && Number(text) >= least) return Number(text);
    return this.refuse(
      `--${flag}: ${JSON.stringify(text)} is not possible — give a whole number from ${least} on`,
    );
  }

  /** See result-file.ts. */
  writable(flag: string, path: string | undefined): string | undefined {
    try {
      return writable(flag, path);
    } catch (error) {
      if (!isBatonError(error, 'invalid-argument')) throw error;
      return this.refuse(`${error.message} — ${error.hint}`);
    }
  }
}
