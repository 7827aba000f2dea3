/** One life of a worker: the production core, and sandboxes that start, serve and end in virtual time. */
import type { CommandEnvelope, CreateSandbox, WorkerNotice } from '../../../src/core/model/command.ts';
import type { Beacon } from '../../../src/core/model/broadcast.ts';
import { NO_FENCE, type Fence } from '../../../src/core/model/fence.ts';
import type { WorkerEffect } from '../../../src/core/worker/types.ts';
import { WorkerCore } from '../../../src/core/worker/worker-core.ts';
import type { SandboxId, WorkerId } from '../../../src/lib/ids.ts';
import { assert, unreachable } from '../../../src/lib/assert.ts';
import type { Prng } from '../../../src/lib/prng.ts';
import type { Running, WorkerMember, World } from './cast.ts';

const TICK_MS = 20;
export const TRIAL_LIFETIME_MS = 4_000;

/** What is in the worker's file. */
export interface WorkerFile {
  fence: Fence;
  cordoned: boolean;
  draining: boolean;
  incarnationMs: number;
}

export const newWorkerFile = (): WorkerFile => ({
  fence: NO_FENCE,
  cordoned: false,
  draining: false,
  incarnationMs: 0,
});

export class WorkerProcess implements WorkerMember {
  readonly id: WorkerId;
  readonly core: WorkerCore;
  readonly running: Map<SandboxId, Running> = new Map();
  /** The next starts that will fail. */
  failingStarts = 0;
  #alive = true;
  readonly #world: World;
  readonly #server: string;
  readonly #file: WorkerFile;
  readonly #random: Prng;

  constructor(world: World, id: WorkerId, server: string, file: WorkerFile, random: Prng) {
    this.#world = world;
    this.id = id;
    this.#server = server;
    this.#file = file;
    this.#random = random;
    file.incarnationMs = Math.max(file.incarnationMs + 1, Math.floor(world.nowMs));
    this.core = new WorkerCore(
      {
        incarnation: { ms: file.incarnationMs, nonce: random.uint32() },
        capacity: { cpuMillis: 100_000, memoryMiB: 100_000, sandboxes: 64 },
        driver: 'model',
        isolation: '',
        labels: [],
        heartbeatMs: 1_000,
        trialLifetimeMs: TRIAL_LIFETIME_MS,
        fence: file.fence,
        cordoned: file.cordoned,
        draining: file.draining,
        artifacts: [],
      },
      // Small parts, so that lists are cut.
      (statuses) =>
        statuses.length <= 3 ? [statuses] : [statuses.slice(0, 3), ...chunksOfThree(statuses.slice(3))],
    );
    this.core.onConnected(server, world.nowMs);
    this.#tick();
  }

  kill(): void {
    this.#alive = false;
    for (const id of [...this.running.keys()]) this.#end(id);
  }

  /** Its connection to the bus is back: what it said meanwhile is lost. */
  reconnect(): void {
    this.#turn(() => this.core.onConnected(this.#server, this.#world.nowMs));
  }

  onBeacon(beacon: Beacon): void {
    this.#turn(() => {
      this.#world.promises.onWorkerSees(this.id, beacon.fence);
      this.core.onBeacon(beacon.fence, this.#world.nowMs);
    });
  }

  onCommand(envelope: CommandEnvelope): void {
    this.#turn(() => {
      const refusal = this.core.onCommand(envelope, this.#world.nowMs);
      if (refusal === undefined) this.#world.promises.onCommandApplied(this, envelope);
      this.#world.promises.onWorkerSees(this.id, this.core.fence);
    });
  }

  onNotice(notice: WorkerNotice): void {
    this.#turn(() => this.core.onNotice(notice, this.#random.float()));
  }

  /** A sandbox dies by itself. */
  crash(sandbox: SandboxId): void {
    this.#turn(() => {
      if (this.#end(sandbox)) this.core.onGone(sandbox, 'exited with code 1', '');
    });
  }

  #tick(): void {
    if (!this.#alive) return;
    this.#turn(() => undefined);
    this.#world.queue.after(TICK_MS, () => this.#tick());
  }

  #turn(run: () => void): void {
    if (!this.#alive) return;
    run();
    this.core.tick(this.#world.nowMs);
    for (const effect of this.core.takeEffects()) this.#carryOut(effect);
  }

  #carryOut(effect: WorkerEffect): void {
    switch (effect.kind) {
      case 'persist':
        this.#file.fence = effect.fence;
        this.#file.cordoned = effect.cordoned;
        this.#file.draining = effect.draining;
        return;
      case 'report': {
        const { report, term } = effect;
        this.#later(effect.afterMs, () => {
          const leader = this.#world.leaderOf(term);
          if (leader === undefined) return;
          this.#world.network.pass(this.id, leader.host, 'heartbeats', () => {
            leader.hear((brain, nowMs) => {
              leader.heardWorker(this.id);
              brain.workerReport(this.id, report, nowMs);
            });
          });
        });
        return;
      }
      case 'start':
        return this.#start(effect.create);
      case 'drain': {
        const running = this.running.get(effect.sandbox);
        if (running === undefined) return;
        running.accepts = false;
        this.#afterLast(effect.sandbox, running);
        return this.#later(effect.graceMs, () => this.#gone(effect.sandbox, 'killed after its grace'));
      }
      case 'kill':
        return this.#later(1, () => this.#gone(effect.sandbox, 'killed'));
      case 'forget-artifacts':
        return;
      case 'duplicate-id':
        throw new Error(`${this.id} hears of a twin that does not exist`);
      default:
        return unreachable(effect, 'effect');
    }
  }

  #start(create: CreateSandbox): void {
    const { sandbox, spec } = create;
    this.#world.promises.onStart(sandbox);
    const fails = this.failingStarts > 0;
    if (fails) this.failingStarts--;
    this.#later(5 + this.#random.below(60), () => {
      this.#turn(() => {
        if (fails || !this.core.isWanted(sandbox))
          return this.core.onGone(sandbox, fails ? 'boom' : 'killed before it started', '');
        this.running.set(sandbox, { spec, accepts: true, inFlight: 0, onEnd: new Set() });
        this.core.onStarted(sandbox, { address: `unix:/${sandbox}`, pid: 0, stages: [] });
      });
    });
  }

  #afterLast(sandbox: SandboxId, running: Running): void {
    if (this.running.get(sandbox) !== running) return;
    if (running.inFlight === 0) return this.#later(2, () => this.#gone(sandbox, 'drained'));
    this.#later(5, () => this.#afterLast(sandbox, running));
  }

  #gone(sandbox: SandboxId, reason: string): void {
    this.#turn(() => {
      this.#end(sandbox);
      this.core.onGone(sandbox, reason, '');
    });
  }

  #end(sandbox: SandboxId): boolean {
    const running = this.running.get(sandbox);
    if (running === undefined) return false;
    this.running.delete(sandbox);
    for (const tell of running.onEnd) tell();
    return true;
  }

  #later(ms: number, run: () => void): void {
    if (ms === 0) return run();
    this.#world.queue.after(ms, () => {
      if (this.#alive) run();
    });
  }
}

function chunksOfThree<T>(list: readonly T[]): T[][] {
  assert(list.length > 0, 'an empty list has no parts');
  const parts: T[][] = [];
  for (let at = 0; at < list.length; at += 3) parts.push(list.slice(at, at + 3));
  return parts;
}
