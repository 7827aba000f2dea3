/**
 * Sandboxes as processes of this host: JavaScript modules in pre-booted shims on a unix socket each, and programs that
 * listen on $PORT. No isolation beyond the operating system's users; other drivers give more.
 *
 *   P1  an address belongs to one sandbox alone: a socket named by its id, or a port that nobody had for ten minutes (R7);
 *   P2  each start ends in exactly one exit, whatever happens in between;
 *   P3  nothing of a sandbox survives it, and no sandbox survives the worker (guardian.ts).
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BatonError } from '../../../lib/errors.ts';
import type { SandboxId } from '../../../lib/ids.ts';
import type { StartStage } from '../../../core/model/sandbox.ts';
import type {
  LogLine,
  SandboxExit,
  SandboxRuntime,
  StartedSandbox,
  StartRequest,
} from '../../../ports/sandbox-runtime.ts';
import type { Clock, Random } from '../../../ports/system.ts';
import { Guardian, MARK } from './guardian.ts';
import { eachLine } from './lines.ts';
import { PortCursor } from './ports.ts';
import type { FromShim, ToShim } from './protocol.ts';
import { StemCells } from './stem-cells.ts';

const START_TIMEOUT_MS = 10_000;
const READY_POLL_MS = 5;
const TAIL_LINES = 40;

export interface ProcessRuntimeOptions {
  /** The worker's own directory: the port cursor lives here. */
  readonly directory: string;
  readonly stemCells: number;
  /** For programs, and for all sandboxes when `host` is given. */
  readonly ports: { readonly from: number; readonly to: number };
  /** Where data planes of other hosts reach this one; undefined: unix sockets and loopback. */
  readonly host: string | undefined;
  readonly clock: Clock;
  readonly random: Random;
}

interface Running {
  readonly id: SandboxId;
  readonly child: ChildProcess;
  readonly isProgram: boolean;
  tail: string[];
  killTimer: NodeJS.Timeout | undefined;
  /** What ends it, where that is known better than by its exit code. */
  why: string;
}

export function processRuntime(options: ProcessRuntimeOptions): SandboxRuntime {
  return new ProcessRuntime(options);
}

class ProcessRuntime implements SandboxRuntime {
  readonly name = 'process';
  readonly isolation = 'none; programs use the host’s network';
  readonly needsArtifacts = true;
  readonly #options: ProcessRuntimeOptions;
  readonly #sockets: string;
  readonly #guardian: Guardian;
  readonly #ports: PortCursor;
  readonly #cells: StemCells;
  readonly #running = new Map<SandboxId, Running>();
  #onExit: (exit: SandboxExit) => void = () => undefined;
  #onLog: (line: LogLine) => void = () => undefined;

  constructor(options: ProcessRuntimeOptions) {
    this.#options = options;
    mkdirSync(options.directory, { recursive: true });
    // Paths of sockets are limited to about a hundred bytes, and a sandbox's id may take 63 of them.
    const base = tmpdir().length > 20 ? '/tmp' : tmpdir();
    this.#sockets = mkdtempSync(join(base, 'baton-'));
    this.#guardian = new Guardian(options.directory, this.#sockets);
    this.#ports = new PortCursor(options.directory, options.ports, options.clock, options.random);
    this.#cells = new StemCells({
      keep: options.stemCells,
      env: this.#cleanEnvironment(),
      wrap: (command) => this.#guardian.wrap(command),
    });
  }

  async prepare(): Promise<void> {
    this.#guardian.sweepEarlierLives();
    await this.#cells.fill();
  }

  onExit(handler: (exit: SandboxExit) => void): void {
    this.#onExit = handler;
  }

  onLog(handler: (line: LogLine) => void): void {
    this.#onLog = handler;
  }

  start(request: StartRequest): Promise<StartedSandbox> {
    return request.spec.runtime === 'javascript' ? this.#startModule(request) : this.#startProgram(request);
  }

  async #startModule(request: StartRequest): Promise<StartedSandbox> {
    const { clock, host } = this.#options;
    const beganMs = clock.now();
    const { sandbox, spec, generation, artifactDir } = request;
    const port = host === undefined ? 0 : await this.#ports.take('0.0.0.0');
    const path = join(this.#sockets, sandbox);
    const { child, booted } = this.#cells.take();
    const running = this.#adopt(sandbox, child, false);
    const ready = this.#untilReady(child);
    try {
      await withTimeout(booted, START_TIMEOUT_MS);
    } catch (cause) {
      ready.catch(() => undefined);
      this.#end(running, 'did not boot');
      throw new BatonError('trial-failed', 'the sandbox did not boot', {
        fields: { log: running.tail.join('\n') },
        cause,
      });
    }
    const bootedMs = clock.now();
    const message: ToShim = {
      kind: 'start',
      module: join(artifactDir, spec.entry),
      listen: host === undefined ? { path } : { host: '0.0.0.0', port },
      env: { ...environmentOf(request), HOME: artifactDir },
      function: spec.name,
      sandbox,
      generation,
    };
    child.send(message, () => undefined);
    const answer = await withTimeout(ready, START_TIMEOUT_MS).catch((error: unknown): FromShim => {
      return { kind: 'failed', message: error instanceof Error ? error.message : String(error), stack: '' };
    });
    if (answer.kind === 'failed') {
      this.#end(running, answer.message);
      const log = [answer.stack, ...running.tail].filter((text) => text !== '').join('\n');
      throw new BatonError('trial-failed', answer.message, { fields: { log } });
    }
    const stages: StartStage[] = [
      { name: 'boot', micros: Math.round((bootedMs - beganMs) * 1_000) },
      { name: 'load', micros: answer.kind === 'ready' ? answer.loadMicros : 0 },
      { name: 'listen', micros: answer.kind === 'ready' ? answer.listenMicros : 0 },
    ];
    const address = host === undefined ? `unix:${path}` : `tcp:${host}:${port}`;
    return { address, pid: child.pid ?? 0, stages };
  }

  #untilReady(child: ChildProcess): Promise<FromShim> {
    return new Promise((resolve, reject) => {
      child.on('message', (message: FromShim) => {
        if (message.kind !== 'booted') resolve(message);
      });
      child.once('exit', (code, signal) => {
        reject(new Error(`the sandbox ended while it loaded: ${signal ?? `exit ${code ?? '?'}`}`));
      });
    });
  }

  async #startProgram(request: StartRequest): Promise<StartedSandbox> {
    const { clock } = this.#options;
    const beganMs = clock.now();
    const { sandbox, spec, artifactDir } = request;
    const host = this.#options.host ?? '127.0.0.1';
    const port = await this.#ports.take('0.0.0.0');
    const [file = '', ...args] = this.#guardian.wrap(spec.command);
    const child = spawn(file, args, {
      cwd: artifactDir,
      env: {
        ...this.#cleanEnvironment(),
        ...environmentOf(request),
        HOME: artifactDir,
        PORT: String(port),
        HOST: this.#options.host === undefined ? '127.0.0.1' : '0.0.0.0',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const running = this.#adopt(sandbox, child, true);
    const spawnedMs = clock.now();
    let ended: string | undefined;
    child.once('exit', (code, signal) => (ended = `the program ended: ${signal ?? `exit ${code ?? '?'}`}`));
    child.once('error', (error) => (ended = `the program does not start: ${error.message}`));
    const fail = (message: string): BatonError => {
      this.#end(running, message);
      return new BatonError('trial-failed', message, { fields: { log: running.tail.join('\n') } });
    };
    while (!(await accepts('127.0.0.1', port))) {
      if (ended !== undefined) throw fail(ended);
      if (clock.now() - beganMs > START_TIMEOUT_MS)
        throw fail(`the program does not listen on $PORT (${port}) after ${START_TIMEOUT_MS} ms`);
      await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
    }
    if (ended !== undefined) throw fail(ended);
    const stages: StartStage[] = [
      { name: 'spawn', micros: Math.round((spawnedMs - beganMs) * 1_000) },
      { name: 'listen', micros: Math.round((clock.now() - spawnedMs) * 1_000) },
    ];
    return { address: `tcp:${host}:${port}`, pid: child.pid ?? 0, stages };
  }

  /** From here on the process has an owner, an output and exactly one exit (P2). */
  #adopt(id: SandboxId, child: ChildProcess, isProgram: boolean): Running {
    const running: Running = { id, child, isProgram, tail: [], killTimer: undefined, why: '' };
    this.#running.set(id, running);
    for (const stream of ['stdout', 'stderr'] as const) {
      const source = child[stream];
      if (source === null) continue;
      eachLine(source, (text) => {
        running.tail.push(text);
        if (running.tail.length > TAIL_LINES) running.tail.shift();
        this.#onLog({ sandbox: id, wallMs: this.#options.clock.wall(), stream, text });
      });
    }
    child.once('close', (code, signal) => this.#exited(running, signal ?? `exit ${code ?? '?'}`));
    child.once('error', (error) => this.#exited(running, error.message));
    // Output may be held open by children that outlive it: the exit itself is enough.
    child.once('exit', (code, signal) => {
      this.#killGroup(running);
      setTimeout(() => this.#exited(running, signal ?? `exit ${code ?? '?'}`), 200).unref();
    });
    if (child.exitCode !== null || child.signalCode !== null)
      this.#exited(running, child.signalCode ?? `exit ${child.exitCode ?? '?'}`);
    return running;
  }

  #exited(running: Running, how: string): void {
    if (this.#running.get(running.id) !== running) return;
    this.#running.delete(running.id);
    clearTimeout(running.killTimer);
    this.#guardian.killSandbox(running.id);
    rmSync(join(this.#sockets, running.id), { force: true });
    const reason = running.why === '' ? how : running.why;
    this.#onExit({ sandbox: running.id, reason, log: running.tail.join('\n') });
  }

  drain(sandbox: SandboxId, graceMs: number): void {
    const running = this.#running.get(sandbox);
    if (running === undefined) return;
    running.why = 'drained';
    if (running.isProgram) this.#signal(running, 'SIGTERM');
    else if (running.child.connected) running.child.send({ kind: 'drain' } satisfies ToShim, () => undefined);
    clearTimeout(running.killTimer);
    running.killTimer = setTimeout(() => this.#end(running, 'killed after drain'), graceMs);
    running.killTimer.unref();
  }

  kill(sandbox: SandboxId): void {
    const running = this.#running.get(sandbox);
    if (running !== undefined) this.#end(running, 'killed');
  }

  #end(running: Running, why: string): void {
    running.why = why;
    this.#killGroup(running);
  }

  #killGroup(running: Running): void {
    this.#signal(running, 'SIGKILL');
  }

  /** To its process group: the sandbox leads one. */
  #signal({ child }: Running, signal: NodeJS.Signals): void {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, signal);
    } catch {
      // Nobody is left in it.
    }
  }

  async close(): Promise<void> {
    this.#cells.close();
    for (const running of this.#running.values()) this.#end(running, 'the worker stopped');
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

function environmentOf({ spec, sandbox, generation }: StartRequest): Record<string, string> {
  return {
    ...Object.fromEntries(spec.env.map(({ name, value }) => [name, value])),
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

async function withTimeout<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not ready after ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
