/**
 * Finds a server, or brings it in: the environment → PATH → the cache → `go install` → the official release with a pinned
 * checksum → apt. Each step either gives a binary that says its version, or the reason why not; the reasons end up in the one
 * line that says what to install.
 */
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { extract } from 'tar';
import { BatonError, explain } from '../../src/lib/errors.ts';
import { thisMachine, type Host } from './host.ts';
import { tools, type Tool, type ToolName } from './tools.ts';

export interface Provisioned {
  readonly path: string;
  /** As the binary says; 'unknown' where it says none and we did not bring it in. */
  readonly version: string;
  readonly source: 'environment' | 'PATH' | 'cache' | 'go install' | 'release' | 'apt';
}

export type Progress = (line: string) => void;

const VERSION_TIMEOUT_MS = 10_000;
const BUILD_TIMEOUT_MS = 600_000;
const DOWNLOAD_TIMEOUT_MS = 120_000;

type Step = (tool: Tool, host: Host, progress: Progress) => Promise<Provisioned | string>;

/** @throws BatonError `unavailable` in one line that says what to install */
export async function provision(
  name: ToolName,
  progress: Progress,
  host: Host = thisMachine(),
): Promise<Provisioned> {
  const tool = tools[name];
  const explicit = host.env[tool.variable];
  if (explicit !== undefined && explicit !== '') return fromEnvironment(tool, host, explicit);
  const reasons: string[] = [];
  for (const step of [fromPath, fromCache, fromGo, fromRelease, fromApt] satisfies Step[]) {
    const result = await step(tool, host, progress);
    if (typeof result !== 'string') return result;
    reasons.push(result);
  }
  throw new BatonError(
    'unavailable',
    `${name} is not there and cannot be brought in (${reasons.join('; ')})`,
    {
      fields: { tool: name },
      hint: `install ${name} ${tool.version} into PATH, or set ${tool.variable} to its path`,
    },
  );
}

/** The version it says; undefined when it does not run. `otherwise`: for builds that name none (toxiproxy's own does not). */
async function versionOf(
  tool: Tool,
  host: Host,
  path: string,
  otherwise = 'unknown',
): Promise<string | undefined> {
  const { code, output } = await host.run(path, [tool.versionFlag], { timeoutMs: VERSION_TIMEOUT_MS });
  if (code !== 0) return undefined;
  return /(\d+\.\d+(?:\.\d+)?)/.exec(output)?.[1] ?? otherwise;
}

export function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [found = 0, foundMinor = 0] = version.split('.').map(Number);
  return Number.isNaN(found) || found > major || (found === major && foundMinor >= minor);
}

async function fromEnvironment(tool: Tool, host: Host, path: string): Promise<Provisioned> {
  const version = await versionOf(tool, host, path);
  if (version !== undefined) return { path, version, source: 'environment' };
  throw new BatonError('unavailable', `${tool.variable}: ${path} does not run`, {
    fields: { path: tool.variable },
    hint: `set it to the path of ${tool.name}, or unset it`,
  });
}

async function fromPath(tool: Tool, host: Host): Promise<Provisioned | string> {
  let reason = 'not in PATH';
  for (const folder of (host.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, tool.name);
    if (folder === '' || !host.isExecutable(path)) continue;
    const version = await versionOf(tool, host, path);
    if (version === undefined) reason = `${path} does not run`;
    else if (isAtLeast(version, tool.minimum)) return { path, version, source: 'PATH' };
    else reason = `${path} is ${version}, older than ${tool.minimum.join('.')}`;
  }
  return reason;
}

function cached(tool: Tool, host: Host, version: string): string {
  return join(host.cacheDir, `${tool.name}-${version}`);
}

async function fromCache(tool: Tool, host: Host): Promise<Provisioned | string> {
  let reason = 'not cached';
  for (const pinned of new Set([tool.version, tool.release.version])) {
    const path = cached(tool, host, pinned);
    if (!host.isExecutable(path)) continue;
    const version = await versionOf(tool, host, path, pinned);
    if (version !== undefined) return { path, version, source: 'cache' };
    reason = 'the cached one does not run';
  }
  return reason;
}

/** Into place as a whole: two that bring it in at once do not disturb each other. */
function place(tool: Tool, host: Host, from: string, version: string): string {
  const path = cached(tool, host, version);
  chmodSync(from, 0o755);
  renameSync(from, path);
  return path;
}

function workspace(host: Host): string {
  mkdirSync(host.cacheDir, { recursive: true });
  return mkdtempSync(join(host.cacheDir, 'bringing-in-'));
}

async function fromGo(tool: Tool, host: Host, progress: Progress): Promise<Provisioned | string> {
  const { code, output } = await host.run('go', ['version'], { timeoutMs: VERSION_TIMEOUT_MS });
  const found = /go(\d+)\.(\d+)/.exec(output);
  if (code !== 0 || found === null) return 'no Go';
  const go = `${found[1]}.${found[2]}`;
  if (!isAtLeast(go, tool.go.minimum)) return `Go ${go} is older than ${tool.go.minimum.join('.')}`;
  progress(`building ${tool.name} ${tool.version} with Go (once, about a minute) …`);
  const folder = workspace(host);
  try {
    const built = await host.run('go', ['install', tool.go.module], {
      env: { GOBIN: folder, GOFLAGS: '-mod=mod', CGO_ENABLED: '0' },
      timeoutMs: BUILD_TIMEOUT_MS,
    });
    const binary = join(folder, tool.go.binary);
    if (built.code !== 0 || !existsSync(binary)) return `go install failed: ${lastLine(built.output)}`;
    const version = await versionOf(tool, host, binary, tool.version);
    if (version === undefined) return 'what Go built does not run';
    return { path: place(tool, host, binary, tool.version), version, source: 'go install' };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function fromRelease(tool: Tool, host: Host, progress: Progress): Promise<Provisioned | string> {
  const { release } = tool;
  const pinned = host.env[release.pinVariable] ?? release.sha256[`${host.platform}-${host.arch}`];
  if (pinned === undefined)
    return `no pinned checksum of the release for ${host.platform}-${host.arch} (${release.pinVariable} gives one)`;
  progress(`downloading ${tool.name} ${release.version} …`);
  const folder = workspace(host);
  try {
    const bytes = await host.download(release.url(host.platform, host.arch), DOWNLOAD_TIMEOUT_MS);
    const digest = createHash('sha256').update(bytes).digest('hex');
    if (digest !== pinned.toLowerCase()) return `the release has SHA-256 ${digest}, not the pinned one`;
    const binary = join(folder, 'download');
    writeFileSync(binary, bytes);
    const unpacked =
      release.member === undefined
        ? binary
        : await unpack(folder, binary, release.member(host.platform, host.arch));
    chmodSync(unpacked, 0o755);
    const version = await versionOf(tool, host, unpacked, release.version);
    if (version === undefined) return 'the released binary does not run here';
    return { path: place(tool, host, unpacked, release.version), version, source: 'release' };
  } catch (error) {
    return `download failed: ${explain(error)}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function unpack(folder: string, archive: string, member: string): Promise<string> {
  await extract({ cwd: folder, file: archive, filter: (path) => path === member });
  const path = join(folder, member);
  if (!existsSync(path)) throw new Error(`the archive has no ${member}`);
  return path;
}

async function fromApt(tool: Tool, host: Host, progress: Progress): Promise<Provisioned | string> {
  if (tool.apt === undefined) return 'no package';
  if (!host.isRoot) return `not root, so no apt-get install ${tool.apt}`;
  const { code } = await host.run('apt-get', ['--version'], { timeoutMs: VERSION_TIMEOUT_MS });
  if (code !== 0) return 'no apt';
  progress(`installing ${tool.apt} with apt …`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const install = async (): Promise<number> =>
    (
      await host.run('apt-get', ['install', '-y', '--no-install-recommends', tool.apt ?? ''], {
        env,
        timeoutMs: BUILD_TIMEOUT_MS,
      })
    ).code;
  if ((await install()) !== 0) {
    await host.run('apt-get', ['update'], { env, timeoutMs: BUILD_TIMEOUT_MS });
    if ((await install()) !== 0) return `apt-get install ${tool.apt} failed`;
  }
  // Debian puts servers where only root's PATH has them.
  for (const folder of ['/usr/sbin', '/usr/bin', '/usr/local/bin']) {
    const path = join(folder, tool.name);
    if (!host.isExecutable(path)) continue;
    const version = await versionOf(tool, host, path);
    if (version !== undefined) return { path, version, source: 'apt' };
  }
  return 'the package brought no binary';
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.slice(0, 200) ?? '';
}
