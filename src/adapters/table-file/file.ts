/** The table file as a file: a temporary one beside it, then a rename. Not fsynced: it is a cache, written behind. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { BatonError } from '../../lib/errors.ts';
import type { TableFile } from '../../ports/table-file.ts';

export class FileTable implements TableFile {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async load(): Promise<Uint8Array | undefined> {
    try {
      return await readFile(this.#path);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new BatonError('io', `cannot read the table file ${this.#path}`, { cause });
    }
  }

  async save(pieces: Iterable<Uint8Array>): Promise<void> {
    const temporary = `${this.#path}.new`;
    try {
      await mkdir(dirname(this.#path), { recursive: true });
      await writeFile(temporary, pieces, { mode: 0o600 });
      await rename(temporary, this.#path);
    } catch (cause) {
      throw new BatonError('io', `cannot write the table file ${this.#path}`, { cause });
    }
  }
}
