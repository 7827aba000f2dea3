/** The file system of this machine. */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { open, rename, rm, truncate } from 'node:fs/promises';
import { BatonError } from '../../lib/errors.ts';
import type { Files, OpenFile } from '../../ports/files.ts';
import { lockDirectory } from './lock.ts';

const FLAGS = { append: 'a', create: 'w', overwrite: 'r+' } as const;

async function openFile(path: string, how: keyof typeof FLAGS): Promise<OpenFile> {
  const handle = await open(path, FLAGS[how]);
  return {
    async write(bytes, position) {
      for (let at = 0; at < bytes.length;) {
        const place = position === undefined ? null : position + at;
        at += (await handle.write(bytes, at, bytes.length - at, place)).bytesWritten;
      }
    },
    datasync: () => handle.datasync(),
    close: () => handle.close(),
  };
}

export const nodeFiles: Files = {
  exists: existsSync,
  list: (folder) => readdirSync(folder),
  read: readIfThere,
  makeFolder: (path) => void mkdirSync(path, { recursive: true }),
  open: openFile,
  truncate,
  rename,
  remove: (path) => rm(path),
  async syncFolder(path) {
    const folder = await open(path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },
  lock: lockDirectory,
};

/** Undefined when the file is not there. */
export function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new BatonError('io', `cannot read ${path}`, { fields: { path }, cause: error });
  }
}
