/** Sandboxes that take time to start and do nothing: for scale tests and the simulator, many in one process. */
import { assert } from '../../../lib/assert.ts';
import { BatonError, explain } from '../../../lib/errors.ts';
import type { SandboxId } from '../../../lib/ids.ts';
import type { SandboxAddress } from '../../../core/model/sandbox.ts';
import type {
  SandboxExit,
  SandboxRuntime,
  StartedSandbox,
  StartRequest,
} from '../../../ports/sandbox-runtime.ts';
import type { Clock, Random, Timer } from '../../../ports/system.ts';

export interface SimulatedOptions {
  /** Mean of an exponential distribution above half of it, so that a start is never free and sometimes slow. */
  readonly startMs: number;
  /** How long a drained sandbox takes to go. */
  readonly drainMs: number;
  readonly clock: Clock;
  readonly random: Random;
  /** Answers requests, where something real should call them; undefined: an address that nobody serves. */
  readonly server: SimulatedServer | undefined;
}

export interface SimulatedServer {
  open(request: StartRequest): Promise<SandboxAddress>;
  close(sandbox: SandboxId): void;
  closeAll(): Promise<void>;
}

export class SimulatedRuntime implements SandboxRuntime {
  readonly name = 'simulated';
  readonly isolation = 'nothing runs';
  readonly needsArtifacts = false;
  readonly #options: SimulatedOptions;
  /** Present from the start's beginning to the exit. */
  readonly #sandboxes = new Map<SandboxId, Timer | undefined>();
  #onExit: (exit: SandboxExit) => void = () => undefined;

  constructor(options: SimulatedOptions) {
    this.#options = options;
  }

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  async start(request: StartRequest): Promise<StartedSandbox> {
    const { clock, startMs, random, server } = this.#options;
    const { sandbox } = request;
    assert(!this.#sandboxes.has(sandbox), 'a sandbox is started once');
    const takesMs = startMs / 2 - (startMs / 2) * Math.log(1 - random.float());
    this.#sandboxes.set(sandbox, undefined);
    await new Promise<void>((resolve) => void clock.after(takesMs, resolve));
    this.#refuseEnded(sandbox);
    const address = server === undefined ? `unix:/simulated/${sandbox}` : await this.#open(server, request);
    this.#refuseEnded(sandbox);
    return { address, pid: 0, stages: [{ name: 'start', micros: Math.round(takesMs * 1_000) }] };
  }

  /** A start that fails has its exit too. */
  async #open(server: SimulatedServer, request: StartRequest): Promise<SandboxAddress> {
    try {
      return await server.open(request);
    } catch (error) {
      this.crash(request.sandbox, explain(error));
      throw error;
    }
  }

  #refuseEnded(sandbox: SandboxId): void {
    if (!this.#sandboxes.has(sandbox)) throw new BatonError('canceled', 'killed while it started');
  }

  drain(sandbox: SandboxId, graceMs: number): void {
    if (!this.#sandboxes.has(sandbox)) return;
    const takesMs = Math.min(graceMs, this.#options.drainMs);
    this.#sandboxes.get(sandbox)?.cancel();
    this.#sandboxes.set(
      sandbox,
      this.#options.clock.after(takesMs, () => this.crash(sandbox, 'drained')),
    );
  }

  kill(sandbox: SandboxId): void {
    this.crash(sandbox, 'killed');
  }

  /** Ends by itself. */
  crash(sandbox: SandboxId, reason: string): void {
    if (!this.#sandboxes.has(sandbox)) return;
    this.#sandboxes.get(sandbox)?.cancel();
    this.#sandboxes.delete(sandbox);
    this.#options.server?.close(sandbox);
    this.#onExit({ sandbox, reason, log: '' });
  }

  onExit(handler: (exit: SandboxExit) => void): void {
    this.#onExit = handler;
  }

  onLog(): void {
    // Nothing runs, nothing is said.
  }

  async close(): Promise<void> {
    for (const sandbox of this.#sandboxes.keys()) this.crash(sandbox, 'the worker stopped');
    await this.#options.server?.closeAll();
  }
}
