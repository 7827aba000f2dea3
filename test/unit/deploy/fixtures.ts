/** What the tests of deploy/ share: the files there, the program's commands, and configurations read by their own loaders. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { loadControlPlaneFile, type ControlPlaneFile } from '../../../src/config/control-plane.ts';
import { loadDataPlaneFile, type DataPlaneFile } from '../../../src/config/data-plane.ts';
import { loadWorkerFile, type WorkerFile } from '../../../src/config/worker.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

export function deployed(path: string): string {
  return readFileSync(join(root, 'deploy', path), 'utf8');
}

export function filesIn(folder: string, ending: string): string[] {
  return readdirSync(join(root, 'deploy', folder)).filter((name) => name.endsWith(ending));
}

/** Every document of a YAML file; a syntax error or a warning is a failure. */
export function documents(text: string): unknown[] {
  return parseAllDocuments(text, { merge: true }).map((document) => {
    const problem = document.errors[0] ?? document.warnings[0];
    if (problem !== undefined) throw problem;
    return document.toJS({ maxAliasCount: 1_000 }) as unknown;
  });
}

function help(...command: readonly string[]): string {
  const program = join(root, 'src', 'bin', 'baton.ts');
  return execFileSync(process.execPath, ['--import', 'tsx', program, ...command, '--help'], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

/** The commands that `baton --help` lists. */
export function commands(): string[] {
  const [, list = ''] = /^Commands:\n((?: .*\n)+)/m.exec(help()) ?? [];
  return [...list.matchAll(/^ {2}([a-z][a-z-]*)/gm)].map((match) => match[1] ?? '');
}

/** The flags that `baton COMMAND --help` lists. */
export function flagsOf(command: string): string[] {
  return [...help(command).matchAll(/^ +(?:-\w, )?(--[a-z-]+)/gm)].map((match) => match[1] ?? '');
}

function load<T>(text: string, loader: (file: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'baton-deploy-'));
  try {
    const file = join(folder, 'config.json');
    writeFileSync(file, text);
    return loader(file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export const controlPlaneOf = (text: string): ControlPlaneFile => load(text, loadControlPlaneFile);
export const dataPlaneOf = (text: string): DataPlaneFile => load(text, loadDataPlaneFile);
export const workerOf = (text: string): WorkerFile => load(text, loadWorkerFile);
