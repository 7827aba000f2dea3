/** Where a server comes from: the first step that gives a running binary wins, and each reason for "no" is told. */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { create } from 'tar';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CommandResult, Host } from '../../../cluster/provision/host.ts';
import { provision } from '../../../cluster/provision/provision.ts';
import { tools } from '../../../cluster/provision/tools.ts';
import { BatonError } from '../../../src/lib/errors.ts';

const NOT_FOUND: CommandResult = { code: -1, output: '' };
const nats = tools['nats-server'];
const toxiproxy = tools['toxiproxy-server'];

type Run = (args: readonly string[], env: Readonly<Record<string, string>>) => CommandResult;

interface MachineOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly platform?: string;
  readonly arch?: string;
  readonly isRoot?: boolean;
  /** By the command's path, or its last part. */
  readonly commands?: Readonly<Record<string, Run>>;
  readonly downloads?: Readonly<Record<string, Uint8Array>>;
}

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'baton-provision-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A file that "runs": its text is what it says to --version. */
function binary(path: string, says: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, says);
  chmodSync(path, 0o755);
  return path;
}

interface Machine extends Host {
  readonly ran: string[];
}

/** Real files below a temporary directory; commands and the network are the test's. */
function machine(options: MachineOptions = {}): Machine {
  const ran: string[] = [];
  const { commands = {}, downloads = {} } = options;
  const own = (path: string): boolean => path.startsWith(root) && existsSync(path);
  return {
    ran,
    env: options.env ?? {},
    platform: options.platform ?? 'linux',
    arch: options.arch ?? 'amd64',
    isRoot: options.isRoot ?? false,
    cacheDir: join(root, 'cache'),
    isExecutable: own,
    async run(file, args, { env = {} }) {
      ran.push([file, ...args].join(' '));
      const command = commands[file] ?? commands[basename(file)];
      if (command !== undefined) return command(args, env);
      if (!own(file)) return NOT_FOUND;
      const says = readFileSync(file, 'utf8');
      return says === 'broken' ? { code: 1, output: '' } : { code: 0, output: says };
    },
    async download(url) {
      ran.push(`GET ${url}`);
      const found = downloads[url];
      if (found === undefined) throw new Error(`${url} answered 404`);
      return found;
    },
  };
}

const quiet = (): void => undefined;

/** A Go that "builds": it puts a file of this name into GOBIN. */
function go(version: string, builds: string, says: string): Run {
  return (args, env) => {
    if (args[0] === 'version') return { code: 0, output: `go version go${version} linux/amd64` };
    binary(join(env['GOBIN'] ?? '', builds), says);
    return { code: 0, output: '' };
  };
}

async function refusal(name: 'nats-server' | 'toxiproxy-server', host: Host): Promise<BatonError> {
  try {
    await provision(name, quiet, host);
  } catch (error) {
    if (error instanceof BatonError) return error;
    throw error;
  }
  throw new Error('it was provisioned');
}

/** A release archive whose checksum the environment pins. */
async function archive(member: string, says: string): Promise<Uint8Array> {
  const folder = join(root, 'archive');
  binary(join(folder, member), says);
  binary(join(folder, 'README.md'), 'not wanted');
  const chunks: Buffer[] = [];
  for await (const chunk of create({ cwd: folder, gzip: true }, [member, 'README.md']))
    chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('the environment', () => {
  it('names the binary, and nothing else is asked', async () => {
    const path = binary(join(root, 'mine'), 'nats-server: v2.9.10');
    const host = machine({ env: { BATON_NATS_SERVER: path, PATH: '/usr/bin' }, commands: {} });
    await expect(provision('nats-server', quiet, host)).resolves.toEqual({
      path,
      version: '2.9.10',
      source: 'environment',
    });
    expect(host.ran).toEqual([`${path} --version`]);
  });

  it('is an error of its own when what it names does not run: no silent detour', async () => {
    const inPath = join(root, 'bin');
    binary(join(inPath, 'nats-server'), 'nats-server: v2.15.2');
    const host = machine({ env: { BATON_NATS_SERVER: '/nowhere/nats', PATH: inPath } });
    const error = await refusal('nats-server', host);
    expect(error.code).toBe('unavailable');
    expect(error.message).toBe('BATON_NATS_SERVER: /nowhere/nats does not run');
  });

  it('counts as absent when it is empty', async () => {
    const inPath = binary(join(root, 'bin', 'nats-server'), 'nats-server: v2.15.2');
    const host = machine({ env: { BATON_NATS_SERVER: '', PATH: dirname(inPath) } });
    expect((await provision('nats-server', quiet, host)).source).toBe('PATH');
  });
});

describe('PATH', () => {
  it('gives the first binary that runs and is new enough', async () => {
    binary(join(root, 'a', 'nats-server'), 'broken');
    binary(join(root, 'b', 'nats-server'), 'nats-server: v2.8.4');
    const good = binary(join(root, 'c', 'nats-server'), 'nats-server: v2.9.10');
    const path = ['a', '', 'b', 'c'].map((part) => (part === '' ? '' : join(root, part))).join(':');
    const found = await provision('nats-server', quiet, machine({ env: { PATH: path } }));
    expect(found).toEqual({ path: good, version: '2.9.10', source: 'PATH' });
  });

  it('a server that is too old is passed over, and the refusal says so', async () => {
    const old = binary(join(root, 'b', 'nats-server'), 'nats-server: v2.8.4');
    const error = await refusal('nats-server', machine({ env: { PATH: dirname(old) }, platform: 'plan9' }));
    expect(error.message).toContain(`${old} is 2.8.4, older than 2.9`);
  });

  it('a build that names no version is taken as it is', async () => {
    const path = binary(join(root, 'bin', 'toxiproxy-server'), 'toxiproxy-server version git');
    const host = machine({ env: { PATH: dirname(path) } });
    expect(await provision('toxiproxy-server', quiet, host)).toEqual({
      path,
      version: 'unknown',
      source: 'PATH',
    });
  });
});

describe('the cache', () => {
  it('is used before anything is built or loaded', async () => {
    const host = machine({ commands: { go: go('1.26.1', 'nats-server', 'v9.9.9') } });
    const path = binary(join(host.cacheDir, `nats-server-${nats.version}`), `nats-server: v${nats.version}`);
    const found = await provision('nats-server', quiet, host);
    expect(found).toEqual({ path, version: nats.version, source: 'cache' });
    expect(host.ran.some((line) => line.startsWith('go '))).toBe(false);
  });

  it('also holds what came as a release of another version', async () => {
    const host = machine();
    const path = binary(join(host.cacheDir, `nats-server-${nats.release.version}`), 'nats-server: v2.15.0');
    expect(await provision('nats-server', quiet, host)).toMatchObject({ path, source: 'cache' });
  });

  it('a damaged one is replaced', async () => {
    const host = machine({ commands: { go: go('1.26.1', 'nats-server', `v${nats.version}`) } });
    binary(join(host.cacheDir, `nats-server-${nats.version}`), 'broken');
    expect((await provision('nats-server', quiet, host)).source).toBe('go install');
    expect((await provision('nats-server', quiet, host)).source).toBe('cache');
  });
});

describe('go install', () => {
  it('builds the pinned version into the cache, under the name that we use', async () => {
    const host = machine({ commands: { go: go('1.26.1', 'server', 'toxiproxy-server version git') } });
    const told: string[] = [];
    const found = await provision('toxiproxy-server', (line) => told.push(line), host);
    expect(found).toEqual({
      path: join(host.cacheDir, `toxiproxy-server-${toxiproxy.version}`),
      version: toxiproxy.version,
      source: 'go install',
    });
    expect(host.ran).toContain(`go install ${toxiproxy.go.module}`);
    expect(told.join('\n')).toContain(`building toxiproxy-server ${toxiproxy.version}`);
    expect(readdirSync(host.cacheDir)).toEqual([`toxiproxy-server-${toxiproxy.version}`]);
  });

  it('two at once do not disturb each other', async () => {
    const host = machine({ commands: { go: go('1.26.1', 'nats-server', `v${nats.version}`) } });
    const both = await Promise.all([1, 2].map(() => provision('nats-server', quiet, host)));
    expect(both[0]).toEqual(both[1]);
    expect(readdirSync(host.cacheDir)).toEqual([`nats-server-${nats.version}`]);
  });

  it.each([
    ['no Go', undefined, 'no Go'],
    ['an old Go', go('1.24.9', 'nats-server', 'v2'), 'Go 1.24 is older than 1.25'],
    [
      'a failing build',
      ((args) =>
        args[0] === 'version'
          ? { code: 0, output: 'go version go1.26' }
          : { code: 1, output: 'first\nno route to the module proxy\n' }) satisfies Run,
      'go install failed: no route to the module proxy',
    ],
    ['a build that does not run', go('1.26.1', 'nats-server', 'broken'), 'what Go built does not run'],
    ['a build under another name', go('1.26.1', 'other', 'v2.15'), 'go install failed'],
  ] as const)('%s is passed over with its reason', async (_name, run, reason) => {
    const host = machine({ platform: 'plan9', commands: run === undefined ? {} : { go: run } });
    expect((await refusal('nats-server', host)).message).toContain(reason);
    expect(existsSync(host.cacheDir) ? readdirSync(host.cacheDir) : []).toEqual([]);
  });
});

describe('the release', () => {
  const url = nats.release.url('linux', 'amd64');
  const member = `nats-server-v${nats.release.version}-linux-amd64/nats-server`;

  it('is taken when its checksum is the pinned one', async () => {
    const bytes = await archive(member, `nats-server: v${nats.release.version}`);
    const host = machine({
      env: { BATON_NATS_SERVER_SHA256: sha256(bytes).toUpperCase() },
      downloads: { [url]: bytes },
    });
    expect(await provision('nats-server', quiet, host)).toEqual({
      path: join(host.cacheDir, `nats-server-${nats.release.version}`),
      version: nats.release.version,
      source: 'release',
    });
    expect(readdirSync(host.cacheDir)).toEqual([`nats-server-${nats.release.version}`]);
  });

  it('may be the binary itself', async () => {
    const bytes = Buffer.from('toxiproxy-server version 2.12.0');
    const host = machine({
      env: { BATON_TOXIPROXY_SERVER_SHA256: sha256(bytes) },
      downloads: { [toxiproxy.release.url('linux', 'amd64')]: bytes },
    });
    expect(await provision('toxiproxy-server', quiet, host)).toMatchObject({
      version: '2.12.0',
      source: 'release',
    });
  });

  it('is refused when its checksum is another: nothing of it is run or kept', async () => {
    const bytes = await archive(member, 'nats-server: v2.15.0');
    const host = machine({ downloads: { [url]: bytes } });
    expect((await refusal('nats-server', host)).message).toContain(
      `the release has SHA-256 ${sha256(bytes)}, not the pinned one`,
    );
    expect(readdirSync(host.cacheDir)).toEqual([]);
    expect(host.ran).toEqual(['go version', `GET ${url}`]);
  });

  it('is not even asked for on a platform without a pinned checksum', async () => {
    const host = machine({ platform: 'sunos', arch: 'sparc' });
    const { message } = await refusal('nats-server', host);
    expect(message).toContain('no pinned checksum of the release for sunos-sparc (BATON_NATS_SERVER_SHA256');
    expect(host.ran.some((line) => line.startsWith('GET'))).toBe(false);
  });

  it.each([
    ['without the binary', 'other/file', 'the archive has no nats-server-v'],
    ['with a binary that does not run', member, 'the released binary does not run here'],
  ])('an archive %s is passed over', async (_name, path, reason) => {
    const bytes = await archive(path, 'broken');
    const host = machine({
      env: { BATON_NATS_SERVER_SHA256: sha256(bytes) },
      downloads: { [url]: bytes },
    });
    expect((await refusal('nats-server', host)).message).toContain(reason);
    expect(readdirSync(host.cacheDir)).toEqual([]);
  });

  it('without a network the reason is told', async () => {
    expect((await refusal('nats-server', machine())).message).toContain('answered 404');
  });

  it('every pinned checksum is one, for the platforms that people have', () => {
    for (const { release } of Object.values(tools)) {
      expect(Object.keys(release.sha256).sort()).toEqual([
        'darwin-amd64',
        'darwin-arm64',
        'linux-amd64',
        'linux-arm64',
      ]);
      const digests = Object.values(release.sha256);
      for (const digest of digests) expect(digest).toMatch(/^[0-9a-f]{64}$/);
      expect(new Set(digests).size).toBe(digests.length);
    }
  });
});

describe('apt', () => {
  const apt =
    (installs: () => number): Run =>
    (args) => ({ code: args[0] === 'install' ? installs() : 0, output: '' });

  it('is asked again after an update of its lists', async () => {
    let tries = 0;
    const host = machine({
      isRoot: true,
      platform: 'linux',
      arch: 'riscv64',
      commands: {
        'apt-get': apt(() => (++tries === 1 ? 100 : 0)),
        '/usr/sbin/nats-server': () => ({ code: 0, output: 'nats-server: v2.9.10' }),
      },
    });
    const installed: Host = { ...host, isExecutable: (path) => path === '/usr/sbin/nats-server' };
    expect(await provision('nats-server', quiet, installed)).toEqual({
      path: '/usr/sbin/nats-server',
      version: '2.9.10',
      source: 'apt',
    });
    expect(host.ran.filter((line) => line.startsWith('apt-get'))).toEqual([
      'apt-get --version',
      'apt-get install -y --no-install-recommends nats-server',
      'apt-get update',
      'apt-get install -y --no-install-recommends nats-server',
    ]);
  });

  it.each([
    ['without root', false, undefined, 'not root, so no apt-get install nats-server'],
    ['where there is none', true, undefined, 'no apt'],
    ['when it fails twice', true, apt(() => 100), 'apt-get install nats-server failed'],
    ['when it brings no binary', true, apt(() => 0), 'the package brought no binary'],
  ] as const)('%s it is no way', async (_name, isRoot, run, reason) => {
    const host = machine({ isRoot, arch: 'riscv64', commands: run === undefined ? {} : { 'apt-get': run } });
    expect((await refusal('nats-server', host)).message).toContain(reason);
  });

  it('has no toxiproxy', async () => {
    const host = machine({ isRoot: true, arch: 'riscv64', commands: { 'apt-get': apt(() => 0) } });
    expect((await refusal('toxiproxy-server', host)).message).toContain('no package');
    expect(host.ran.some((line) => line.startsWith('apt-get'))).toBe(false);
  });
});

it('when nothing helps, one line says what to install and which variable to set', async () => {
  const error = await refusal('nats-server', machine({ platform: 'plan9' }));
  expect(error.code).toBe('unavailable');
  expect(error.fields).toEqual({ tool: 'nats-server' });
  expect(error.message).toMatch(/^nats-server is not there and cannot be brought in \([^\n]+\)$/);
  expect(error.hint).toBe(
    `install nats-server ${nats.version} into PATH, or set BATON_NATS_SERVER to its path`,
  );
});
