/**
 * Sandboxes as processes of this host: JavaScript modules in pre-booted shims on a unix socket each, and programs that
 * listen on $PORT. No isolation beyond the operating system's users; other drivers give more.
 *
 *   P1  an address belongs to one sandbox alone: a socket named by its id, or a port that nobody had for ten minutes (R7);
 *   P2  each start ends in exactly one exit, whatever happens in between;
 *   P3  nothing of a sandbox survives it, and no sandbox survives the worker (guardian.ts).
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { assert } from '../../../lib/assert.ts';
import { BatonError, explain } from '../../../lib/errors.ts';
import type { SandboxId } from '../../../lib/ids.ts';
import type { StartStage } from '../../../core/model/sandbox.ts';
import type {
  LogLine,
  SandboxExit,
  SandboxRuntime,
  StartedSandbox,
  StartRequest,
} from '../../../ports/sandbox-runtime.ts';
import type { Clock, Logger, Random } from '../../../ports/system.ts';
import { Guardian, MARK } from './guardian.ts';
import { PortCursor, type PortRange } from './ports.ts';
import { SandboxLife } from './sandbox-life.ts';
import { StemCells, type Cell } from './stem-cells.ts';

const START_TIMEOUT_MS = 10_000;
const EVERYWHERE = '0.0.0.0';
const READY_POLL_MS = 5;

export interface ProcessRuntimeOptions {
  /** The worker's own directory: the port cursor lives here. */
  readonly directory: string;
  readonly stemCells: number;
  /** For programs, and for all sandboxes when `host` is given; no other worker of this host may have any of them. */
  readonly ports: PortRange;
  /** Where data planes of other hosts reach this one; undefined: unix sockets and loopback. */
  readonly host: string | undefined;
  /** The one address on which sandboxes listen where `host` is given; undefined: all of this host's. */
  readonly listenHost?: string | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger?: Logger;
  /** From the call of start to the first accepted connection. */
  readonly startTimeoutMs?: number;
}

/** What a sandbox has while it runs. */
interface Running {
  readonly life: SandboxLife;
  /** Rejects when it ends: a start that waits for anything waits for this too. */
  readonly ended: Promise<never>;
  /** The shim of a JavaScript sandbox. */
  cell: Cell | undefined;
  port: number | undefined;
}

export function processRuntime(options: ProcessRuntimeOptions): SandboxRuntime {
  return new ProcessRuntime(options);
}

class ProcessRuntime implements SandboxRuntime {
  readonly name = 'process';
  readonly isolation = 'none; programs use the host’s network';
  readonly needsArtifacts = true;
  readonly #options: ProcessRuntimeOptions;
  readonly #startTimeoutMs: number;
  readonly #guardian: Guardian;
  readonly #ports: PortCursor;
  readonly #cells: StemCells;
  readonly #running = new Map<SandboxId, Running>();
  #isClosed = false;
  #onExit: (exit: SandboxExit) => void = () => undefined;
  #onLog: (line: LogLine) => void = () => undefined;

  constructor(options: ProcessRuntimeOptions) {
    this.#options = options;
    this.#startTimeoutMs = options.startTimeoutMs ?? START_TIMEOUT_MS;
    mkdirSync(options.directory, { recursive: true });
    const { directory, logger } = options;
    this.#guardian = new Guardian({ directory, logger });
    this.#ports = new PortCursor(directory, options.ports, options.clock, options.random);
    this.#cells = new StemCells({
      keep: options.stemCells,
      env: this.#cleanEnvironment(),
      wrap: (command) => this.#guardian.wrap(command),
    });
  }

  async prepare(): Promise<void> {
    await this.#guardian.sweepEarlierLives();
    await this.#cells.fill();
  }

  onExit(handler: (exit: SandboxExit) => void): void {
    this.#onExit = handler;
  }

  onLog(handler: (line: LogLine) => void): void {
    this.#onLog = handler;
  }

  /** The exit of a start that fails is reported before its rejection, and both tell the same. */
  async start(request: StartRequest): Promise<StartedSandbox> {
    const running = this.#begin(request.sandbox);
    const { life, ended } = running;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const message = `the function did not ${request.spec.runtime === 'program' ? 'listen on $PORT' : 'load'} within ${this.#startTimeoutMs} ms`;
      timer = setTimeout(() => reject(new BatonError('trial-failed', message)), this.#startTimeoutMs);
    });
    try {
      const isModule = request.spec.runtime === 'javascript';
      const work = isModule ? this.#startModule(request, running) : this.#startProgram(request, running);
      return await Promise.race([work, ended, late]);
    } catch (error) {
      life.end(explain(error));
      const { log } = await life.over;
      const code = error instanceof BatonError ? error.code : 'trial-failed';
      const message = error instanceof Error ? error.message : String(error);
      throw new BatonError(code, message, { fields: { log } });
    } finally {
      clearTimeout(timer);
      this.#cells.refill();
    }
  }

  #begin(id: SandboxId): Running {
    assert(!this.#running.has(id), 'a sandbox is started once');
    const { clock } = this.#options;
    const life = new SandboxLife(id, {
      clock,
      onLog: (line) => this.#onLog(line),
      sweep: (sandbox) => this.#guardian.sweepSandbox(sandbox),
    });
    const ended = life.over.then(({ reason }): never => {
      const code = life.wasEnded ? 'canceled' : 'trial-failed';
      throw new BatonError(code, `it ended while it started: ${reason}`);
    });
    ended.catch(() => undefined);
    const running: Running = { life, ended, cell: undefined, port: undefined };
    this.#running.set(id, running);
    void this.#reportEnd(running);
    if (this.#isClosed) life.end('the worker stopped');
    return running;
  }

  async #reportEnd(running: Running): Promise<void> {
    const exit = await running.life.over;
    this.#running.delete(exit.sandbox);
    rmSync(join(this.#guardian.sockets, exit.sandbox), { force: true });
    if (running.port !== undefined) this.#ports.release(running.port);
    this.#onExit(exit);
  }

  async #startModule(request: StartRequest, running: Running): Promise<StartedSandbox> {
    const { clock, host } = this.#options;
    const { sandbox, spec, generation, artifactDir } = request;
    const beganMs = clock.now();
    if (host !== undefined) await this.#takePort(running);
    if (running.life.isEnding) return running.ended;
    const path = join(this.#guardian.sockets, sandbox);
    const cell = this.#cells.take();
    running.cell = cell;
    running.life.adopt(cell.child);
    await cell.booted.catch(() => running.ended);
    const bootedMs = clock.now();
    cell.send({
      kind: 'start',
      module: join(artifactDir, spec.entry),
      directory: artifactDir,
      listen: running.port === undefined ? { path } : { host: this.#listenHost, port: running.port },
      env: { ...environmentOf(request), HOME: artifactDir },
      function: spec.name,
      sandbox,
      generation,
    });
    const answer = await cell.answered;
    if (answer.kind === 'failed') throw new BatonError('trial-failed', answer.message);
    const stages: StartStage[] = [
      { name: 'boot', micros: Math.round((bootedMs - beganMs) * 1_000) },
      { name: 'load', micros: answer.loadMicros },
      { name: 'listen', micros: answer.listenMicros },
    ];
    const address = running.port === undefined ? `unix:${path}` : `tcp:${host}:${running.port}`;
    return { address, pid: cell.child.pid ?? 0, stages };
  }

  async #startProgram(request: StartRequest, running: Running): Promise<StartedSandbox> {
    const { clock } = this.#options;
    const host = this.#options.host ?? '127.0.0.1';
    const beganMs = clock.now();
    const port = await this.#takePort(running);
    if (running.life.isEnding) return running.ended;
    const child = this.#spawnProgram(request, port);
    running.life.adopt(child);
    const spawnedMs = clock.now();
    const reachedAt = this.#listenHost === EVERYWHERE ? '127.0.0.1' : this.#listenHost;
    while (!(await accepts(reachedAt, port))) {
      if (running.life.isEnding) return running.ended;
      await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
    }
    if (running.life.isEnding) return running.ended;
    const stages: StartStage[] = [
      { name: 'spawn', micros: Math.round((spawnedMs - beganMs) * 1_000) },
      { name: 'listen', micros: Math.round((clock.now() - spawnedMs) * 1_000) },
    ];
    return { address: `tcp:${host}:${port}`, pid: child.pid ?? 0, stages };
  }

  #spawnProgram(request: StartRequest, port: number): ChildProcess {
    const { spec, artifactDir } = request;
    const [file = '', ...args] = this.#guardian.wrap(spec.command);
    return spawn(file, args, {
      cwd: artifactDir,
      env: {
        ...this.#cleanEnvironment(),
        HOST: this.#options.host === undefined ? '127.0.0.1' : this.#listenHost,
        ...environmentOf(request),
        HOME: artifactDir,
        PORT: String(port),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
  }

  get #listenHost(): string {
    return this.#options.listenHost ?? EVERYWHERE;
  }

  /** Released with the exit, also where that came first. */
  async #takePort(running: Running): Promise<number> {
    const port = await this.#ports.take(this.#listenHost);
    if (running.life.isEnding) this.#ports.release(port);
    else running.port = port;
    return port;
  }

  drain(sandbox: SandboxId, graceMs: number): void {
    const running = this.#running.get(sandbox);
    if (running === undefined) return;
    running.life.endAfter(graceMs);
    if (running.cell === undefined) running.life.signal('SIGTERM');
    else running.cell.send({ kind: 'drain' });
  }

  kill(sandbox: SandboxId): void {
    this.#running.get(sandbox)?.life.end('killed');
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cells.close();
    const lives = [...this.#running.values()].map(({ life }) => life);
    for (const life of lives) life.end('the worker stopped');
    await Promise.all(lives.map(({ over }) => over));
    await this.#guardian.release();
  }

  /** Nothing of the worker's own: its environment may hold secrets. */
  #cleanEnvironment(): Record<string, string> {
    const environment: Record<string, string> = { [MARK]: this.#guardian.mark, NODE_ENV: 'production' };
    for (const name of ['PATH', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR']) {
      const value = process.env[name];
      if (value !== undefined) environment[name] = value;
    }
    return environment;
  }
}

/** Those that begin with BATON_ are ours: sandboxes are told apart by them (guardian.ts). */
function environmentOf({ spec, sandbox, generation }: StartRequest): Record<string, string> {
  const own = spec.env.filter(({ name }) => !name.startsWith('BATON_'));
  return {
    ...Object.fromEntries(own.map(({ name, value }) => [name, value])),
    BATON_FUNCTION: spec.name,
    BATON_SANDBOX: sandbox,
    BATON_GENERATION: String(generation),
  };
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port });
    socket.setTimeout(1_000);
    const answer = (accepted: boolean): void => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once('connect', () => answer(true));
    socket.once('error', () => answer(false));
    socket.once('timeout', () => answer(false));
  });
}
