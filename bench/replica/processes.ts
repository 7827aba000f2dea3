/** Three replicas of process.ts in place of a cluster's own, each a child that takes orders. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { BatonError } from '../../src/lib/errors.ts';
import type { ReplicaSet } from '../lib/replica-set.ts';
import type { Order, Report } from './process.ts';
import type { LoadFigures } from './registrations.ts';

const PROGRAM = fileURLToPath(new URL('process.js', import.meta.url));

export class ReplicaProcesses {
  readonly #children: ReadonlyMap<string, ChildProcess>;

  private constructor(children: ReadonlyMap<string, ChildProcess>) {
    this.#children = children;
  }

  /** The cluster's own replicas are stopped first: their directories have one owner at a time. */
  static async takeOver(replicas: ReplicaSet, profileDirectory?: string): Promise<ReplicaProcesses> {
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
    return new ReplicaProcesses(new Map(children));
  }

  pidOf(id: string): number {
    return this.#children.get(id)?.pid ?? 0;
  }

  /** @throws BatonError when the replica refused a registration, or ended */
  async load(id: string, callers: number, seconds: number, series: string): Promise<LoadFigures> {
    const report = await this.#ask(id, { kind: 'load', callers, seconds, series });
    if (report.kind === 'load') return report.figures;
    throw new BatonError('unavailable', `load in ${id} failed: ${refusal(report)}`);
  }

  /** Holds the replica's one thread; resolves afterwards with how long it was held, in milliseconds. */
  async block(id: string, ms: number): Promise<number> {
    const report = await this.#ask(id, { kind: 'block', ms });
    if (report.kind === 'blocked') return report.ms;
    throw new BatonError('unavailable', `${id} was not blocked: ${refusal(report)}`);
  }

  async #ask(id: string, order: Order): Promise<Report> {
    const child = this.#children.get(id);
    if (child === undefined) throw new BatonError('not-found', `no replica ${id}`);
    return new Promise((resolve) => {
      const settle = (report: Report): void => {
        child.off('message', settle);
        child.off('exit', ended);
        resolve(report);
      };
      const ended = (code: number | null): void =>
        settle({ kind: 'failed', error: `it ended with ${code ?? 'a signal'}` });
      child.on('message', settle);
      child.on('exit', ended);
      child.send(order);
    });
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

const refusal = (report: Report): string => (report.kind === 'failed' ? report.error : 'another answer came');
