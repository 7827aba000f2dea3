/** What provisioning asks of the machine; tests give a machine of their own. */
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { homedir, platform, arch } from 'node:os';
import { join } from 'node:path';

export interface CommandResult {
  readonly code: number;
  readonly output: string;
}

export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** linux, darwin … */
  readonly platform: string;
  /** amd64, arm64 … */
  readonly arch: string;
  readonly isRoot: boolean;
  readonly cacheDir: string;
  isExecutable(path: string): boolean;
  run(
    file: string,
    args: readonly string[],
    options: { env?: Record<string, string>; timeoutMs: number },
  ): Promise<CommandResult>;
  download(url: string, timeoutMs: number): Promise<Uint8Array>;
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };
const MAX_OUTPUT = 1_048_576;

export function thisMachine(): Host {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return {
    env: process.env,
    platform: platform(),
    arch: ARCHITECTURES[arch()] ?? arch(),
    isRoot: process.getuid?.() === 0,
    cacheDir: join(cache, 'baton', 'tools'),
    isExecutable(path) {
      try {
        accessSync(path, constants.X_OK);
        return existsSync(path);
      } catch {
        return false;
      }
    },
    run: (file, args, { env, timeoutMs }) =>
      new Promise((resolve) => {
        execFile(
          file,
          [...args],
          { env: { ...process.env, ...env }, timeout: timeoutMs, maxBuffer: MAX_OUTPUT },
          (error, stdout, stderr) => {
            const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
            resolve({ code, output: `${stdout}${stderr}` });
          },
        );
      }),
    async download(url, timeoutMs) {
      const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
      if (!response.ok) throw new Error(`${url} answered ${response.status}`);
      return new Uint8Array(await response.arrayBuffer());
    },
  };
}
