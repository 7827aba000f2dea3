/** The file system of this machine. */
import {
  close,
  closeSync,
  existsSync,
  fdatasync,
  mkdirSync,
  open as openLater,
  openSync,
  readdirSync,
  readFileSync,
  write,
  writeSync,
} from 'node:fs';
import { open, rename, rm, truncate } from 'node:fs/promises';
import { promisify } from 'node:util';
import { assert } from '../../lib/assert.ts';
import { BatonError } from '../../lib/errors.ts';
import type { Files, OpenFile } from '../../ports/files.ts';
import { lockDirectory } from './lock.ts';

/**
 * A write that only fills the page cache takes some microseconds; to have another thread do it takes ten times as long, and two
 * wake-ups. What is larger than this, or must reach the disk, goes there.
 */
const WRITTEN_AT_ONCE_BYTES = 16 * 1024;

const FLAGS = { append: 'a', create: 'w', overwrite: 'r+' } as const;

const openElsewhere = promisify(openLater);
const writeElsewhere = promisify(write);
const syncElsewhere = promisify(fdatasync);
const closeElsewhere = promisify(close);

async function openFile(path: string, how: keyof typeof FLAGS): Promise<OpenFile> {
  // Of a file that is there neither reaches the disk: what is overwritten is small, and a vote waits for it.
  const isAtHand = how === 'overwrite';
  const opened = isAtHand ? openSync(path, FLAGS[how]) : await openElsewhere(path, FLAGS[how]);
  let isOpen = true;
  /** The system gives the number of a closed file to the next one. */
  const fd = (): number => {
    assert(isOpen, `${path} is closed`);
    return opened;
  };
  return {
    async write(bytes, position) {
      for (let at = 0; at < bytes.length;) {
        const place = position === undefined ? null : position + at;
        const length = bytes.length - at;
        at +=
          length <= WRITTEN_AT_ONCE_BYTES
            ? writeSync(fd(), bytes, at, length, place)
            : (await writeElsewhere(fd(), bytes, at, length, place)).bytesWritten;
      }
    },
    datasync: async () => syncElsewhere(fd()),
    async close() {
      if (!isOpen) return;
      isOpen = false;
      return isAtHand ? closeSync(opened) : closeElsewhere(opened);
    },
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
