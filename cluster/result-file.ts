/** Where programs that start clusters, or simulate them, write what a long run came to. */
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname, resolve, sep } from 'node:path';
import { BatonError } from '../src/lib/errors.ts';

/**
 * A result that is written at the end of a long run: what stands in its way is said before.
 * @param flag without its dashes
 * @returns the file; undefined when none is asked for
 * @throws BatonError `invalid-argument` that names the flag, with a hint
 */
export function writable(flag: string, file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  if (existsSync(file) && statSync(file).isDirectory())
    throw unusable(flag, `${JSON.stringify(file)} is a directory`, 'name a file in it');
  const directory = dirname(resolve(file));
  try {
    // With a separator behind it, a file in the directory's place is refused too.
    accessSync(directory + sep, constants.W_OK);
    return file;
  } catch {
    throw unusable(
      flag,
      `${JSON.stringify(file)}: ${directory} is not there, or not writable`,
      'name a file in a directory of yours',
    );
  }
}

function unusable(flag: string, what: string, hint: string): BatonError {
  return new BatonError('invalid-argument', `--${flag}: ${what}`, { fields: { path: `--${flag}` }, hint });
}
