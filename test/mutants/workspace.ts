/** Copies of what the checks need, outside the repository: one as it is, and from that one for each mutant, with its edits applied. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { applyMutant, type Planted } from './mutant.ts';

export const ROOT: string = fileURLToPath(new URL('../../', import.meta.url));

const made = new Set<string>();

const COPIED = [
  'package.json',
  'tsconfig.json',
  'vitest.config.ts',
  'tsconfig.build.json',
  'cluster',
  'src',
  'chaos/verifiers',
  'test/golden',
  'test/mutants',
  'test/property',
  'test/sim',
  'test/unit',
];

function makeDirectory(name: string): string {
  const directory = mkdtempSync(join(tmpdir(), `baton-mutant-${name}-`));
  made.add(directory);
  return directory;
}

/** What runs in a copy leaves its files there: they go with the copy, and into no other. */
export function scratchOf(workspace: string): string {
  return join(workspace, 'scratch');
}

/** @returns a copy of the tree as it is now: what others change meanwhile changes no hunt */
export function copyTree(): string {
  const directory = makeDirectory('none');
  for (const path of COPIED) cpSync(join(ROOT, path), join(directory, path), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  mkdirSync(scratchOf(directory));
  return directory;
}

/** What the mutant makes of a tree. @throws Error with one line: it does not apply any more (M1) */
export function planted(mutant: Planted, tree: string): ReadonlyMap<string, string> {
  return applyMutant(mutant, (file) => readFileSync(join(tree, file), 'utf8'));
}

/** @returns a copy of the baseline with the mutant in it */
export function plant(mutant: Planted, baseline: string): string {
  const directory = makeDirectory(mutant.id);
  const filter = (path: string): boolean => path !== scratchOf(baseline);
  cpSync(baseline, directory, { recursive: true, verbatimSymlinks: true, filter });
  mkdirSync(scratchOf(directory));
  for (const [file, text] of planted(mutant, baseline)) writeFileSync(join(directory, file), text);
  return directory;
}

export function removeWorkspace(directory: string): void {
  // What was just killed may still be writing.
  rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  made.delete(directory);
}

export function removeAllWorkspaces(): void {
  for (const directory of made) removeWorkspace(directory);
}
