/** `--report DIR`: DIR/index.html, written anew after each run. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunRow } from '../results.ts';
import { reportPage } from './page.ts';

/** The directory is there. @returns the page's path */
export function writeReport(directory: string, rows: readonly RunRow[]): string {
  const path = join(directory, 'index.html');
  const draft = `${path}.${process.pid}.tmp`;
  writeFileSync(draft, reportPage(rows, picturesOf));
  renameSync(draft, path);
  return path;
}

function picturesOf({ pictures }: RunRow): string[] {
  if (!Array.isArray(pictures)) return [];
  return pictures
    .filter((path) => typeof path === 'string' && existsSync(path))
    .map((path) => readFileSync(path as string, 'utf8'));
}
