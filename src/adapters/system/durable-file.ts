/** Small files that must be whole after a crash: written beside, fsynced, renamed, and the folder fsynced. */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { BatonError } from '../../lib/errors.ts';
import type { Files } from '../../ports/files.ts';
import { nodeFiles } from './node-files.ts';

/** @throws BatonError `io` */
export async function writeDurably(
  path: string,
  content: Uint8Array | string,
  files: Files = nodeFiles,
): Promise<void> {
  const beside = `${path}.tmp`;
  try {
    files.makeFolder(dirname(path));
    const file = await files.open(beside, 'create');
    try {
      await file.write(Buffer.from(content));
      await file.datasync();
    } finally {
      await file.close();
    }
    await files.rename(beside, path);
    await files.syncFolder(dirname(path));
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
