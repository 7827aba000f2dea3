/** libfaketime, which shows a process another wall clock: from PATH, or from apt. Asked for once. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

const INSTALL_TIMEOUT_MS = 300_000;
const PACKAGE = 'faketime';

export type Faketime =
  /** What `LD_PRELOAD` must be. */
  | { readonly kind: 'found'; readonly preload: string }
  /** And how to get it. */
  | { readonly kind: 'missing'; readonly why: string };

let found: Promise<Faketime> | undefined;

export function faketime(progress: (line: string) => void): Promise<Faketime> {
  found ??= bringIn(progress);
  return found;
}

async function bringIn(progress: (line: string) => void): Promise<Faketime> {
  const there = await preloadOf();
  if (there !== undefined) return { kind: 'found', preload: there };
  if (process.getuid?.() !== 0) return missing('it is not in PATH');
  progress(`installing ${PACKAGE} with apt …`);
  for (const args of [['install'], ['update'], ['install']]) {
    const isInstall = args[0] === 'install';
    const isDone = await apt([...args, ...(isInstall ? ['-y', '--no-install-recommends', PACKAGE] : [])]);
    if (isInstall && isDone) break;
  }
  const preload = await preloadOf();
  return preload === undefined ? missing('apt did not bring it') : { kind: 'found', preload };
}

const missing = (what: string): Faketime => ({
  kind: 'missing',
  why: `no faketime: ${what}; apt-get install ${PACKAGE}`,
});

/** Undefined: it does not run. */
async function preloadOf(): Promise<string | undefined> {
  try {
    const { stdout } = await run('faketime', ['-m', '-f', '+0s', 'printenv', 'LD_PRELOAD']);
    return stdout.trim();
  } catch {
    return undefined;
  }
}

async function apt(args: readonly string[]): Promise<boolean> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  try {
    await run('apt-get', [...args], { env, timeout: INSTALL_TIMEOUT_MS });
    return true;
  } catch {
    return false;
  }
}
