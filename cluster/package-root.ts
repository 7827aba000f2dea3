/** The installation's root: sources, and what is built from them, have different depths below it. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BatonError } from '../src/lib/errors.ts';

export function packageRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'deploy', 'nats.conf'))) {
    const parent = dirname(directory);
    if (parent === directory) throw new BatonError('io', 'deploy/nats.conf is missing from the installation');
    directory = parent;
  }
  return directory;
}

/** The built command line. */
export function batonProgram(): string {
  return join(packageRoot(), 'dist', 'src', 'bin', 'baton.js');
}
