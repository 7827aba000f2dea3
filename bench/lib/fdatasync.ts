/** What durability costs on this machine before anything of ours is added: one writer, one small append, one fdatasync. */
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { distribution, type Distribution } from './figures.ts';

/** About a registration's record in the log. */
const APPEND_BYTES = 300;

export type FdatasyncFigures = Distribution & { readonly perSecond: number };

/** Blocks for `seconds`. The file is in `directory`, so that the disk is the log's. */
export function measureFdatasync(directory: string, seconds: number): FdatasyncFigures {
  const path = join(directory, 'fdatasync');
  const bytes = Buffer.alloc(APPEND_BYTES, 'x');
  const file = openSync(path, 'w');
  const samples: number[] = [];
  const beganMs = performance.now();
  const untilMs = beganMs + seconds * 1_000;
  let nowMs = beganMs;
  try {
    while (nowMs < untilMs) {
      writeSync(file, bytes);
      fdatasyncSync(file);
      const doneMs = performance.now();
      samples.push(doneMs - nowMs);
      nowMs = doneMs;
    }
  } finally {
    closeSync(file);
    rmSync(path);
  }
  const perSecond = Math.round(samples.length / ((nowMs - beganMs) / 1_000));
  return { ...distribution(samples), perSecond };
}
