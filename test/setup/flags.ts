/** How the programs among the tests read their flags: what is wrong is one line and exit code 2. */
import { accessSync, constants } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs, type ParseArgsConfig } from 'node:util';

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

  /** A result that is written at the end of a long run: what stands in its way is said before. */
  writable(flag: string, path: string | undefined): string | undefined {
    if (path === undefined) return undefined;
    const directory = dirname(resolve(path));
    try {
      accessSync(directory, constants.W_OK);
    } catch {
      return this.refuse(
        `--${flag}: ${JSON.stringify(path)}: ${directory} is not there, or not writable — name a file in a directory of yours`,
      );
    }
    return path;
  }
}
