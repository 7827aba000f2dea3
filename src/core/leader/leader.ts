/** See types.ts. Inputs are methods; each may produce effects, which the shell takes at the end of its turn. */
import type { DataPlaneId, FunctionUid, SandboxId, WorkerId } from '../../lib/ids.ts';
import type { EndpointSnapshot, TableDigest } from '../model/broadcast.ts';
import type { Cordon } from '../model/command.ts';
import type { DataPlaneMessage } from '../model/data-plane-report.ts';
import { NO_INCARNATION, type Incarnation } from '../model/fence.ts';
import type { FunctionRecord, FunctionSpec } from '../model/function.ts';
import type { FunctionChange } from '../metadata/metadata-state.ts';
import type { WorkerReport } from '../model/worker-report.ts';
import { unreachable } from '../../lib/assert.ts';
import { limits } from '../../lib/limits.ts';
import { advanceWaits, checkDataPlanes, onDemand, onHeld, onReport } from './data-planes.ts';
import { drainOf, tellDraining } from './draining.ts';
import { reasonOf, scaleView } from './reason.ts';
import { close, mayClose } from './reconstruction.ts';
import { deleteFunction, evaluate, isPressing, putFunction, retireOld, scaleOf } from './scaling.ts';
import { LeaderState } from './state.ts';
import { adoptTrial, dropTrial, expireTrials, startTrial } from './trials.ts';
import type {
  DataPlaneRow,
  DrainRow,
  FunctionRow,
  LeaderBus,
  LeaderEffect,
  LeaderOptions,
  ReconstructionView,
  ScaleView,
  SandboxRow,
  WorkerRow,
} from './types.ts';
import { checkWorkers, onWorkerProbed, onWorkerReport } from './workers.ts';

const LIVENESS_EVERY_MS = 50;

export class Leader {
  readonly #s: LeaderState;

  /** @param functions the state as of the term's no-op, applied at `appliedIndex` */
  constructor(
    options: LeaderOptions,
    functions: readonly FunctionRecord[],
    appliedIndex: number,
    nowMs: number,
    bus: LeaderBus,
  ) {
    this.#s = new LeaderState(options, nowMs, bus);
    this.#s.appliedIndex = appliedIndex;
    for (const record of functions) putFunction(this.#s, record, false);
  }

  #at(nowMs: number): LeaderState {
    this.#s.nowMs = nowMs;
    return this.#s;
  }

  /** Metadata applied up to `index`. */
  applied(index: number, change: FunctionChange | undefined, nowMs: number): void {
    const s = this.#at(nowMs);
    s.appliedIndex = index;
    if (change === undefined) return;
    const { record } = change;
    if (record === undefined) return deleteFunction(s, change.uid);
    s.functionEvent('registered', record.spec.name, `generation ${record.generation}`);
    putFunction(s, record, record.generation === 1);
  }

  workerReport(from: WorkerId, report: WorkerReport, nowMs: number): void {
    const s = this.#at(nowMs);
    onWorkerReport(s, from, report);
    if (s.hasJoined) this.#decide(s, s.roomless);
    s.hasJoined = false;
    if (s.arrived.size > 0) this.#decide(s, s.arrived);
  }

  workerProbed(worker: WorkerId, answer: 'no-responders' | 'answered' | 'unknown', nowMs: number): void {
    onWorkerProbed(this.#at(nowMs), worker, answer);
  }

  dataPlaneMessage(from: DataPlaneId, message: DataPlaneMessage, nowMs: number): void {
    const s = this.#at(nowMs);
    switch (message.kind) {
      case 'report':
        return onReport(s, from, message);
      case 'held':
        return onHeld(s, from, message);
      case 'demand':
        return onDemand(s, from, message);
      default:
        return unreachable(message, 'data-plane message');
    }
  }

  /** The life of a data plane that counts under this term: one that is earlier is not heard. */
  heardLife(dataPlane: DataPlaneId): Incarnation {
    return this.#s.dataPlanes.get(dataPlane)?.incarnation ?? NO_INCARNATION;
  }

  /** The leader's own connection: nothing is suspected while it is down, and suspicion starts again when it is back. */
  busStatus({ up, server }: { readonly up: boolean; readonly server: string }, nowMs: number): void {
    const s = this.#at(nowMs);
    s.busUp = up;
    s.ownServer = server;
    if (up) s.busUpSinceMs = nowMs;
  }

  /** Call at least every 25 ms; costs nothing for what is idle. */
  tick(nowMs: number): void {
    const s = this.#at(nowMs);
    if (nowMs >= s.nextLivenessMs) {
      s.nextLivenessMs = nowMs + LIVENESS_EVERY_MS;
      checkWorkers(s);
      checkDataPlanes(s);
      expireTrials(s);
      for (const worker of s.workers.values()) {
        if (worker.session !== undefined && nowMs >= worker.session.nextDueMs && worker.state !== 'dead') {
          s.flushSession(worker);
        }
      }
      if (mayClose(s)) close(s);
      tellDraining(s);
    }
    s.startsLeft = limits.startsPerTick;
    if (nowMs >= s.nextDecideMs && s.deciding.size === 0) {
      s.nextDecideMs = nowMs + (s.closed ? s.options.decideEveryMs : s.options.coldStartPaceMs);
      for (const uid of s.active) if (s.closed || isPressing(s, uid)) s.deciding.add(uid);
    }
    this.#decide(s, s.deciding);
  }

  /** In slices: what is left when they are used up goes on with the next tick. */
  #decide(s: LeaderState, pending: Set<FunctionUid>): void {
    // Of those that are pending now: one that cannot be satisfied is pending again at once.
    const slice: FunctionUid[] = [];
    for (const uid of pending) if (slice.push(uid) === limits.decisionsPerTick) break;
    for (const uid of slice) {
      if (s.startsLeft === 0) return;
      pending.delete(uid);
      const node = s.functions.get(uid);
      if (node === undefined) {
        s.active.delete(uid);
        continue;
      }
      evaluate(s, node);
      retireOld(s, node);
    }
  }

  startTrial(trial: number, spec: FunctionSpec, nowMs: number): void {
    startTrial(this.#at(nowMs), trial, spec);
  }

  adoptTrial(sandbox: SandboxId, record: FunctionRecord, nowMs: number): void {
    adoptTrial(this.#at(nowMs), sandbox, record);
  }

  dropTrial(sandbox: SandboxId, nowMs: number): void {
    dropTrial(this.#at(nowMs), sandbox);
  }

  /** Answered by the effect `spec-wait` with this number. */
  waitForSpec(wait: number, specIndex: number, nowMs: number): void {
    const s = this.#at(nowMs);
    s.waits.set(wait, { specIndex, deadlineMs: nowMs + s.options.specWaitMs });
    advanceWaits(s);
  }

  /**
   * Told to the worker, which remembers it. `drain`: what it runs is to be moved away too.
   * @returns false: this worker is not known under this term
   */
  cordon(worker: WorkerId, { on, drain }: Cordon, nowMs: number): boolean {
    const s = this.#at(nowMs);
    const node = s.workers.get(worker);
    return node !== undefined && s.command(node, { kind: 'cordon', on, drain }) > 0;
  }

  /** As the worker said last. Undefined: there is no such worker. */
  cordonOf(worker: WorkerId): Cordon | undefined {
    const view = this.#s.workers.get(worker)?.view;
    return view && { on: view.cordoned, drain: view.draining };
  }

  /** Undefined: there is no such worker. */
  drainOf(worker: WorkerId): DrainRow | undefined {
    return drainOf(this.#s, worker);
  }

  takeEffects(nowMs: number): LeaderEffect[] {
    return this.#at(nowMs).takeEffects();
  }

  get endpointSeq(): number {
    return this.#s.writer.seq;
  }

  get isReconciled(): boolean {
    return this.#s.closed;
  }

  /** After takeEffects. */
  digest(): TableDigest {
    return this.#s.writer.digest();
  }

  /** After takeEffects. */
  endpointSnapshot(): EndpointSnapshot {
    return this.#s.writer.snapshot();
  }

  /** For metrics: nothing is built for them. `ready`: as their workers say, under this term. */
  counts(): { workers: number; dataPlanes: number; sandboxes: number; ready: number } {
    const s = this.#s;
    let workers = 0;
    for (const { state } of s.workers.values()) if (state === 'alive') workers++;
    let dataPlanes = 0;
    for (const { live } of s.dataPlanes.values()) if (live) dataPlanes++;
    return { workers, dataPlanes, sandboxes: s.placed.size, ready: s.writer.size };
  }

  // ---- views ------------------------------------------------------------------------------------------------------

  workers(): WorkerRow[] {
    const s = this.#s;
    return [...s.workers.values()].map((node) => ({
      id: node.id,
      state: node.state,
      cordoned: node.view.cordoned,
      draining: node.view.draining,
      driver: node.view.driver,
      isolation: node.view.isolation,
      labels: node.view.labels,
      artifacts: node.view.artifacts.size,
      capacity: node.view.capacity,
      allocated: { ...node.allocated },
      sandboxes: node.placed.size,
      incarnationMs: node.view.incarnation.ms,
      heardMsAgo: s.nowMs - node.heardMs,
    }));
  }

  sandboxes(): SandboxRow[] {
    const s = this.#s;
    return [...s.placed.values()].map((placed) => ({
      id: placed.id,
      uid: placed.uid,
      function: s.functions.get(placed.uid)?.record.spec.name ?? '',
      generation: placed.generation,
      worker: placed.worker.id,
      pid: placed.pid,
      state: placed.state,
      address: placed.address,
    }));
  }

  dataPlanes(): DataPlaneRow[] {
    const s = this.#s;
    return [...s.dataPlanes.values()].map((node) => {
      let inFlight = 0;
      let queued = 0;
      for (const load of node.loads.values()) {
        inFlight += load.inFlight;
        queued += load.queued;
      }
      const { id, live, caller, peer, endpointSeq, specIndex } = node;
      return {
        id,
        live,
        caller,
        peer,
        endpointSeq,
        specIndex,
        inFlight,
        queued,
        heardMsAgo: s.nowMs - node.heardMs,
      };
    });
  }

  functions(): FunctionRow[] {
    const s = this.#s;
    return [...s.functions.values()].map((node) => {
      const { ready, starting } = scaleOf(s, node);
      const { uid } = node.record;
      return {
        uid,
        ready,
        starting,
        desired: node.desired,
        concurrency: node.scaler.latest,
        reason: reasonOf(s, node, starting),
      };
    });
  }

  /** Undefined: there is no such function. */
  scale(uid: FunctionUid): ScaleView | undefined {
    const node = this.#s.functions.get(uid);
    return node && scaleView(this.#s, node, scaleOf(this.#s, node));
  }

  reconstruction(): ReconstructionView {
    return this.#s.progress.view(this.#s.nowMs);
  }
}
