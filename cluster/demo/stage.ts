/** Where the demo plays: a cluster of its own, the command line, and a voice. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { loadLocalCluster, type LocalCluster } from '../../src/config/cluster.ts';
import { BatonError } from '../../src/lib/errors.ts';
import { down, start, up, type ClusterView } from '../local/local-cluster.ts';
import { getJson } from '../local/readiness.ts';
import { topologyDefaults } from '../local/topology.ts';
import { batonProgram, packageRoot } from '../package-root.ts';

export interface KeptPromise {
  readonly text: string;
  readonly kept: boolean;
  readonly seen: string;
}

export interface ReplicaStatus {
  readonly id: string;
  readonly role: string;
  readonly term: number;
  readonly appliedIndex: number;
  readonly stateHash: string;
}

export interface DeployReply {
  readonly name: string;
  readonly generation: number;
}

export class Stage {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'baton-demo-'));
  readonly promises: KeptPromise[] = [];
  readonly #beganMs: number = performance.now();
  #view: ClusterView | undefined;
  #cluster: LocalCluster | undefined;

  say(text: string): void {
    const seconds = ((performance.now() - this.#beganMs) / 1_000).toFixed(1).padStart(5);
    process.stdout.write(`${seconds}s  ${text}\n`);
  }

  promise(text: string, kept: boolean, seen: string): void {
    this.promises.push({ text, kept, seen });
    this.say(`       ${kept ? '✓' : '✗'} ${text}: ${seen}`);
  }

  async open(): Promise<void> {
    this.#view = await up(this.directory, topologyDefaults, (line) => this.say(`       ${line}`));
    this.#cluster = loadLocalCluster(this.directory);
  }

  get view(): ClusterView {
    if (this.#view === undefined) throw new BatonError('internal', 'the stage is not open');
    return this.#view;
  }

  /** URLs of one function through every data plane. */
  urls(name: string): string[] {
    return this.view.dataPlanes.map(({ url }) => `${url}/function/${name}`);
  }

  async restart(id: string): Promise<void> {
    this.#view = await start(this.directory, [id], () => undefined);
  }

  /** @throws BatonError with what the command line said */
  async baton(...args: string[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const argv = ['--no-warnings', batonProgram(), ...args, '--dir', this.directory, '-o', 'json'];
      execFile(process.execPath, argv, { cwd: packageRoot() }, (error, stdout, stderr) => {
        if (error === null) resolve(stdout === '' ? undefined : JSON.parse(stdout));
        else reject(new BatonError('unavailable', `baton ${args.join(' ')} failed: ${stderr.trim()}`));
      });
    });
  }

  deploy(path: string, name: string, ...flags: string[]): Promise<DeployReply> {
    // Short windows, so that a demo sees what otherwise takes minutes.
    const windows = ['--set', 'stableWindowMs=6000', '--set', 'scaleToZeroGraceMs=0'];
    return this.baton(
      'deploy',
      join('examples', path),
      '--name',
      name,
      ...windows,
      ...flags,
    ) as Promise<DeployReply>;
  }

  /** Undefined where a replica does not answer. */
  async replica(http: string): Promise<ReplicaStatus | undefined> {
    return (await getJson(`${http}/v1/replica`, this.#cluster?.tokens.api)) as ReplicaStatus | undefined;
  }

  async leader(): Promise<{ id: string; pid: number; http: string; term: number } | undefined> {
    for (const { id, pid, http } of this.view.replicas) {
      const status = await this.replica(http);
      if (status?.role === 'leader') return { id, pid, http, term: status.term };
    }
    return undefined;
  }

  async close(): Promise<void> {
    await down(this.directory).catch(() => undefined);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Level-triggered. @throws BatonError `timeout` */
export async function until<T>(
  what: string,
  timeoutMs: number,
  look: () => Promise<T | undefined | false>,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new BatonError('timeout', `${what}: not within ${timeoutMs} ms`);
    await delay(2);
  }
}
