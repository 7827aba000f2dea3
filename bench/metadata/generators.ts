/** Three replicas of replica.ts in place of the cluster's own, each a child that takes orders for load. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { BatonError } from '../../src/lib/errors.ts';
import type { ReplicaSet } from '../lib/replica-set.ts';
import type { LoadFigures } from './registrations.ts';
import type { LoadOrder, LoadReport } from './replica.ts';

const PROGRAM = fileURLToPath(new URL('replica.js', import.meta.url));

export class Generators {
  readonly #children: ReadonlyMap<string, ChildProcess>;

  private constructor(children: ReadonlyMap<string, ChildProcess>) {
    this.#children = children;
  }

  /** The cluster's own replicas are stopped first: their directories have one owner at a time. */
  static async takeOver(replicas: ReplicaSet, profileDirectory: string | undefined): Promise<Generators> {
    await replicas.stopReplicas();
    const { NODE_EXTRA_CA_CERTS: _certificates, NODE_OPTIONS: _options, ...env } = process.env;
    const profiling =
      profileDirectory === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDirectory}`];
    const children = replicas.view.replicas.map(({ id }) => {
      const child = fork(PROGRAM, [replicas.configOf(id)], {
        env,
        execArgv: ['--no-warnings', ...profiling],
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      });
      return [id, child] as const;
    });
    return new Generators(new Map(children));
  }

  pidOf(id: string): number {
    return this.#children.get(id)?.pid ?? 0;
  }

  /** @throws BatonError when the replica refused a registration, or ended */
  async load(id: string, order: LoadOrder): Promise<LoadFigures> {
    const child = this.#children.get(id);
    if (child === undefined) throw new BatonError('not-found', `no replica ${id}`);
    const report = new Promise<LoadReport>((resolve) => {
      child.once('message', (message) => resolve(message as LoadReport));
      child.once('exit', (code) => resolve({ error: `replica ${id} ended with ${code}` }));
    });
    child.send(order);
    const answer = await report;
    if ('error' in answer) throw new BatonError('unavailable', `load in ${id} failed: ${answer.error}`);
    return answer.figures;
  }

  async close(): Promise<void> {
    const running = [...this.#children.values()].filter(
      ({ exitCode, signalCode }) => exitCode === null && signalCode === null,
    );
    await Promise.all(
      running.map(async (child) => {
        const ended = once(child, 'exit');
        if (child.connected) child.disconnect();
        await ended;
      }),
    );
  }
}
