/** The file system of this machine. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { open, rename, rm, truncate } from 'node:fs/promises';
import { BatonError } from '../../lib/errors.ts';
import type { Files, OpenFile } from '../../ports/files.ts';
import { lockDirectory } from './lock.ts';

/**
 * A write that only fills the page cache takes some microseconds; to have another thread do it takes ten times as long, and two
 * wake-ups. What is larger than this, or must reach the disk, goes there.
 */
const WRITTEN_AT_ONCE_BYTES = 16 * 1024;

const FLAGS = { append: 'a', create: 'w', overwrite: 'r+' } as const;

async function openFile(path: string, how: keyof typeof FLAGS): Promise<OpenFile> {
  const handle = await open(path, FLAGS[how]);
  return {
    async write(bytes, position) {
      for (let at = 0; at < bytes.length;) {
        const place = position === undefined ? null : position + at;
        const length = bytes.length - at;
        at +=
          length <= WRITTEN_AT_ONCE_BYTES
            ? writeSync(handle.fd, bytes, at, length, place)
            : (await handle.write(bytes, at, length, place)).bytesWritten;
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
