/**
 * Turns what a user points at (a module, a script, a directory) into an artifact: a gzip tar whose bytes depend on its
 * content alone, so that the same function always has the same digest.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, extname, join, resolve, sep } from 'node:path';
import { build, type BuildFailure } from 'esbuild';
import { create } from 'tar';
import { BatonError } from '../lib/errors.ts';
import { limits } from '../lib/limits.ts';
import { digest, type Digest } from '../lib/ids.ts';

export interface PackagedFunction {
  readonly runtime: 'javascript' | 'program';
  /** `javascript`: the module inside the artifact. */
  readonly entry: string;
  /** `program`: argv. */
  readonly command: readonly string[];
  readonly artifact: Buffer;
  readonly digest: Digest;
  /** What it was made of: a change of these makes another artifact. */
  readonly sources: Sources;
}

export interface Sources {
  /** Absolute; what a package manager installed is left out. */
  readonly files: readonly string[];
  /** Everything below this directory, too. */
  readonly tree: string | undefined;
}

const MODULE_EXTENSIONS = ['.ts', '.mts', '.tsx', '.js', '.mjs', '.cjs', '.jsx'];
/** Looked for in a directory, in this order. */
const DIRECTORY_ENTRIES = [
  ...['index', 'main', 'handler'].flatMap((name) => MODULE_EXTENSIONS.map((extension) => name + extension)),
  'main.py',
  'app.py',
];
const BUNDLE = 'index.mjs';
const INSTALLED = `${sep}node_modules${sep}`;

function invalid(path: string, message: string, hint: string, cause?: unknown): BatonError {
  return new BatonError('invalid-argument', message, { fields: { path }, hint, cause });
}

/**
 * @param path a module, a Python script, an executable or a directory of one of these
 * @param command argv that overrides what would be guessed; makes the function a program
 * @throws BatonError `invalid-argument` (nothing there, nothing to run, does not compile) or `too-large`
 */
export async function packageFunction(
  path: string,
  command: readonly string[] = [],
): Promise<PackagedFunction> {
  const source = resolve(path);
  if (!existsSync(source))
    throw invalid('path', `${path}: no such file or directory`, 'give a module, a program or a directory');
  const isDirectory = statSync(source).isDirectory();
  if (command.length > 0) return packageProgram(source, isDirectory, command);

  const entry = isDirectory ? directoryEntry(path, source) : source;
  const extension = extname(entry);
  if (MODULE_EXTENSIONS.includes(extension)) return packageModule(path, entry);
  if (extension === '.py') return packageProgram(source, isDirectory, ['python3', basename(entry)]);
  if ((statSync(entry).mode & 0o111) !== 0)
    return packageProgram(source, isDirectory, [`./${basename(entry)}`]);
  throw invalid(
    'path',
    `${path}: neither a module (${MODULE_EXTENSIONS.join(' ')}), a Python script nor an executable`,
    'make it executable, or say how to run it after "--": baton deploy DIR -- ./serve --fast',
  );
}

function directoryEntry(shown: string, directory: string): string {
  const manifest = join(directory, 'package.json');
  if (existsSync(manifest)) {
    const main = (JSON.parse(readFileSync(manifest, 'utf8')) as { main?: unknown }).main;
    if (typeof main === 'string') return join(directory, main);
  }
  const files = new Set(readdirSync(directory));
  const found = DIRECTORY_ENTRIES.find((name) => files.has(name));
  if (found !== undefined) return join(directory, found);
  throw invalid(
    'path',
    `${shown}: nothing to run in this directory`,
    'add an index.ts, index.js or main.py, a "main" in package.json, or say how to run it after "--"',
  );
}

async function packageModule(shown: string, entry: string): Promise<PackagedFunction> {
  let code: string;
  let inputs: readonly string[];
  try {
    const result = await build({
      entryPoints: [entry],
      bundle: true,
      write: false,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      sourcemap: 'inline',
      sourcesContent: false,
      sourceRoot: '',
      metafile: true,
      logLevel: 'silent',
      // CommonJS dependencies inside a bundle still call require().
      banner: {
        js: "import { createRequire as __createRequire } from 'node:module';const require = __createRequire(import.meta.url);",
      },
    });
    code = result.outputFiles[0]?.text ?? '';
    inputs = Object.keys(result.metafile.inputs).map((file) => resolve(file));
  } catch (error) {
    throw invalid(
      'path',
      `${shown}: ${firstProblem(error as BuildFailure)}`,
      'fix the module and deploy again',
    );
  }
  const stage = mkdtempSync(join(tmpdir(), 'baton-package-'));
  try {
    writeFileSync(join(stage, BUNDLE), code);
    const files = [...new Set([entry, ...inputs])].filter((file) => !file.includes(INSTALLED));
    const sources: Sources = { files, tree: undefined };
    return { runtime: 'javascript', entry: BUNDLE, command: [], sources, ...(await pack(stage)) };
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

function firstProblem(failure: BuildFailure): string {
  const problem = failure.errors?.[0];
  if (problem === undefined) return 'does not compile';
  const { location } = problem;
  const place =
    location === null ? '' : ` (${basename(location.file)}:${location.line}:${location.column + 1})`;
  return `${problem.text}${place}`;
}

async function packageProgram(
  source: string,
  isDirectory: boolean,
  command: readonly string[],
): Promise<PackagedFunction> {
  const sources: Sources = isDirectory ? { files: [], tree: source } : { files: [source], tree: undefined };
  if (isDirectory) return { runtime: 'program', entry: '', command, sources, ...(await pack(source)) };
  const stage = mkdtempSync(join(tmpdir(), 'baton-package-'));
  try {
    await cp(source, join(stage, basename(source)));
    return { runtime: 'program', entry: '', command, sources, ...(await pack(stage)) };
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

/** Sorted names, no owners, one fixed time: equal content, equal bytes. */
async function pack(directory: string): Promise<{ artifact: Buffer; digest: Digest }> {
  const names = readdirSync(directory).sort();
  const hash = createHash('sha256');
  const chunks: Buffer[] = [];
  let bytes = 0;
  const stream = create(
    { cwd: directory, gzip: { level: 6 }, portable: true, noMtime: false, mtime: new Date(0) },
    names,
  );
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > limits.artifactBytes) {
      throw new BatonError('too-large', `the artifact is over ${limits.artifactBytes / 1_048_576} MiB`, {
        fields: { path: 'path' },
        hint: 'leave out what the function does not need at run time',
      });
    }
    hash.update(chunk);
    chunks.push(chunk);
  }
  return { artifact: Buffer.concat(chunks), digest: digest(hash.digest('hex')) };
}
