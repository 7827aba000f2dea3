/** A copy of what the checks need, outside the repository, with a mutant's edits applied. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { applyEdit, type Mutant } from './mutant.ts';

export const ROOT: string = fileURLToPath(new URL('../../', import.meta.url));

const made = new Set<string>();

const COPIED = [
  'package.json',
  'tsconfig.json',
  'vitest.config.ts',
  'src',
  'chaos/verifiers',
  'test/golden',
  'test/mutants',
  'test/property',
  'test/sim',
  'test/unit',
];

/** @returns the directory of the copy; `mutant` undefined: as it is */
export function makeWorkspace(mutant: Mutant | undefined): string {
  const directory = mkdtempSync(join(tmpdir(), `baton-mutant-${mutant?.id ?? 'none'}-`));
  made.add(directory);
  for (const path of COPIED) cpSync(join(ROOT, path), join(directory, path), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  for (const edit of mutant?.edits ?? []) {
    const path = join(directory, edit.file);
    writeFileSync(path, applyEdit(mutant?.id ?? '', edit, readFileSync(path, 'utf8')));
  }
  return directory;
}

export function removeWorkspace(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
  made.delete(directory);
}

export function removeAllWorkspaces(): void {
  for (const directory of made) removeWorkspace(directory);
}
