/** Small files that must be whole after a crash: written beside, fsynced, renamed, and the folder fsynced. */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { BatonError } from '../../lib/errors.ts';

export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** @throws BatonError `io` */
export async function writeDurably(path: string, content: Uint8Array | string): Promise<void> {
  const beside = `${path}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(beside, 'w');
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    throw new BatonError('io', `cannot write ${path}`, { fields: { path }, cause });
  }
}

export function writeDurablySync(path: string, content: string): void {
  const beside = `${path}.tmp`;
  mkdirSync(dirname(path), { recursive: true });
  const file = openSync(beside, 'w');
  try {
    writeSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(beside, path);
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Undefined when the file is not there. */
export function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new BatonError('io', `cannot read ${path}`, { fields: { path }, cause: error });
  }
}
