/** A real cluster per test file: processes, command line, HTTP. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'node:http';
import { batonProgram, packageRoot } from '../../cluster/package-root.ts';
import { packageFunction } from '../../src/cli/package-function.ts';
import type { ClusterView } from '../../cluster/local/local-cluster.ts';
import type { StatusView } from '../../src/cli/commands/cluster.ts';

export type { ClusterView, StatusView };

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export function baton(...args: string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--no-warnings', batonProgram(), ...args],
      { cwd: packageRoot(), maxBuffer: 16 * 1_048_576, env: { ...process.env, BATON_DIR: '' } },
      (error, stdout, stderr) => {
        resolve({
          code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1,
          stdout,
          stderr,
        });
      },
    );
  });
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export function http(
  url: string,
  options: {
    method?: string;
    body?: string | Buffer;
    headers?: Record<string, string>;
    agent?: Agent;
    timeoutMs?: number;
  } = {},
): Promise<Answer> {
  const { method = 'GET', body, headers = {}, agent = new Agent(), timeoutMs = 30_000 } = options;
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, agent, timeout: timeoutMs }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString('utf8'),
        }),
      );
    });
    sent.on('timeout', () => sent.destroy(new Error(`no answer in ${timeoutMs} ms`)));
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Bounded and level-triggered. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 20_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await delay(20);
  }
}

export class TestCluster {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'baton-e2e-'));
  view!: ClusterView;

  async up(...flags: string[]): Promise<ClusterView> {
    const ran = await this.baton('up', '--detach', '--json', ...flags);
    if (ran.code !== 0) throw new Error(`up failed: ${ran.stderr}`);
    this.view = JSON.parse(ran.stdout) as ClusterView;
    return this.view;
  }

  baton(...args: string[]): Promise<Ran> {
    return baton(...args, '--dir', this.dir);
  }

  /** Runs a command that must succeed, and reads its JSON. */
  async json<T>(...args: string[]): Promise<T> {
    const ran = await this.baton(...args, '-o', 'json');
    if (ran.code !== 0) throw new Error(`baton ${args.join(' ')}: exit ${ran.code}: ${ran.stderr}`);
    return JSON.parse(ran.stdout) as T;
  }

  async start(...ids: string[]): Promise<void> {
    this.view = await this.json<ClusterView>('start', ...ids);
  }

  status(): Promise<StatusView> {
    return this.json<StatusView>('status');
  }

  /** A leader knows its workers and what they run: on a busy machine it may be a new one. */
  async reconciled(): Promise<void> {
    await until('reconciliation', async () => (await this.status()).reconstruction?.phase === 'reconciled');
  }

  /** Module source → artifact in the cluster. */
  async upload(source: string, replica = 0): Promise<{ digest: string; entry: string }> {
    const file = join(this.dir, `module-${Math.abs(hash(source))}.mjs`);
    writeFileSync(file, source);
    const packaged = await packageFunction(file);
    const answer = await http(`${this.view.replicas[replica]?.http}/v1/artifacts`, {
      method: 'POST',
      body: packaged.artifact,
      headers: { 'content-type': 'application/octet-stream' },
    });
    if (answer.status !== 200) throw new Error(`upload: ${answer.status} ${answer.body}`);
    return { digest: packaged.digest, entry: packaged.entry };
  }

  /** Registers over HTTP, through the replica of this number. */
  put(name: string, document: object, replica = 0, query = ''): Promise<Answer> {
    return http(`${this.view.replicas[replica]?.http}/v1/functions/${name}${query}`, {
      method: 'PUT',
      body: JSON.stringify(document),
      headers: { 'content-type': 'application/json' },
      timeoutMs: 60_000,
    });
  }

  kill(...pids: number[]): void {
    for (const pid of pids) if (pid > 0) process.kill(pid, 'SIGKILL');
  }

  pids(): number[] {
    const { nats, replicas, dataPlanes, workers } = this.view;
    return [...nats, ...replicas, ...dataPlanes, ...workers].map(({ pid }) => pid).filter((pid) => pid > 0);
  }

  async close(): Promise<void> {
    await this.baton('down');
    rmSync(this.dir, { recursive: true, force: true });
  }
}

function hash(text: string): number {
  let h = 0;
  for (let i = 0; i < text.length; i++) h = (Math.imul(h, 31) + text.charCodeAt(i)) | 0;
  return h;
}

/** A handler that says which version of it answered. */
export const VERSIONED = `export default { fetch(request, env) {
  return Response.json({ version: env.VERSION ?? '', path: new URL(request.url).pathname });
} };`;
