/** A leader of one term: the production brain, and as much of a shell as it takes to carry out its effects. */
import { Leader } from '../../../src/core/leader/leader.ts';
import type { LeaderEffect } from '../../../src/core/leader/types.ts';
import type { SpecSnapshot } from '../../../src/core/model/broadcast.ts';
import type { Fence } from '../../../src/core/model/fence.ts';
import type { FunctionRecord, FunctionSpec } from '../../../src/core/model/function.ts';
import type { DataPlaneId, FunctionUid, SandboxId, WorkerId } from '../../../src/lib/ids.ts';
import { unreachable } from '../../../src/lib/assert.ts';
import type { DataPlaneMember, LeaderMember, World } from './cast.ts';
import { LEASE_MS, SUSPICION_MS } from './timing.ts';

const TICK_MS = 20;
const BEACON_MS = 100;
const PROBE_TIMEOUT_MS = 250;

export class LeaderProcess implements LeaderMember {
  readonly fence: Fence;
  readonly brain: Leader;
  /** frozen: SIGSTOP; it knows nothing of what happens meanwhile. */
  state: 'leading' | 'frozen' | 'dead' = 'leading';
  /** Withdrawn by a word of its own, at some time. */
  readonly withdrew: Set<SandboxId> = new Set();
  readonly heardMs: Map<WorkerId, number> = new Map();
  /** Of data planes: the life that was heard last. */
  readonly lives: Map<DataPlaneId, number> = new Map();
  /** Silent for a suspicion interval at some time. */
  readonly missed: Set<WorkerId> = new Set();
  readonly #world: World;
  readonly #startedMs: number;
  #busUp = true;
  #published: number;
  #changed = new Map<FunctionUid, FunctionRecord | undefined>();
  #trials = 0;
  readonly #trialSpecs = new Map<number, FunctionSpec>();

  constructor(world: World, term: number) {
    this.#world = world;
    this.fence = { epoch: 1, term };
    const { registry, nowMs } = world;
    this.#startedMs = nowMs;
    this.#published = registry.specIndex;
    this.brain = new Leader(
      {
        fence: this.fence,
        suspicionMs: SUSPICION_MS,
        leaseMs: LEASE_MS,
        workerHeartbeatMs: 1_000,
        overdueMs: 300,
        coldStartPaceMs: 100,
        decideEveryMs: 250,
        trialTimeoutMs: 2_000,
        specWaitMs: 2_000,
        artifactSources: [],
        placement: 'least-allocated',
      },
      registry.list(),
      registry.index,
      nowMs,
      0,
    );
  }

  heardWorker(worker: WorkerId): void {
    const { nowMs } = this.#world;
    if (nowMs - (this.heardMs.get(worker) ?? this.#startedMs) >= SUSPICION_MS) this.missed.add(worker);
    this.heardMs.set(worker, nowMs);
  }

  start(): void {
    this.#tick();
    this.#beacon();
  }

  /** One turn of its loop; nothing while it is stopped or gone. */
  act(run: (brain: Leader, nowMs: number) => void): void {
    if (this.state !== 'leading') return;
    run(this.brain, this.#world.nowMs);
    this.flush();
  }

  /** The same, with what came over the bus. */
  hear(run: (brain: Leader, nowMs: number) => void): void {
    if (this.#busUp) this.act(run);
  }

  loseBus(forMs: number): void {
    if (!this.#busUp) return;
    this.#setBus(false);
    this.#world.queue.after(forMs, () => this.#setBus(true));
  }

  /** The world is whole again. */
  restoreBus(): void {
    if (!this.#busUp) this.#setBus(true);
  }

  #setBus(up: boolean): void {
    this.#busUp = up;
    this.act((brain, nowMs) => brain.busStatus(up, nowMs));
  }

  #tick(): void {
    if (this.state === 'dead') return;
    this.act((brain, nowMs) => brain.tick(nowMs));
    this.#world.queue.after(TICK_MS, () => this.#tick());
  }

  #beacon(): void {
    if (this.state === 'dead') return;
    if (this.state === 'leading') this.announce();
    this.#world.queue.after(BEACON_MS, () => this.#beacon());
  }

  announce(): void {
    this.flush();
    const beacon = {
      fence: this.fence,
      endpointSeq: this.brain.endpointSeq,
      digest: this.brain.digest(),
      specIndex: this.#published,
      complete: this.brain.isReconciled,
      http: '',
      grpc: '',
    };
    for (const id of this.#world.workerIds) this.#sendTo(id, () => this.#world.worker(id)?.onBeacon(beacon));
    this.#toDataPlanes((dataPlane) => dataPlane.onBeacon(beacon));
  }

  // ---- metadata -----------------------------------------------------------------------------------------------------

  applied(uid: FunctionUid, record: FunctionRecord | undefined): void {
    const { index, specIndex } = this.#world.registry;
    this.#changed.set(uid, record);
    this.act((brain, nowMs) => brain.applied(index, { uid, specIndex, record }, nowMs));
  }

  /** Registers it only once a sandbox of it has started. */
  tryFirst(spec: FunctionSpec): void {
    const trial = ++this.#trials;
    this.#trialSpecs.set(trial, spec);
    this.act((brain, nowMs) => brain.startTrial(trial, spec, nowMs));
  }

  specSnapshot(): SpecSnapshot {
    this.flush();
    const { registry } = this.#world;
    return { fence: this.fence, specIndex: registry.specIndex, functions: registry.list() };
  }

  // ---- out ----------------------------------------------------------------------------------------------------------

  flush(): void {
    this.#publishSpecs();
    for (const effect of this.brain.takeEffects(this.#world.nowMs)) this.#carryOut(effect);
  }

  #publishSpecs(): void {
    // A deposed leader's log ends where its term did.
    if (this.#changed.size === 0) return;
    const put = [...this.#changed.values()].filter((record) => record !== undefined);
    const deleted = [...this.#changed].filter(([, record]) => record === undefined).map(([uid]) => uid);
    this.#changed = new Map();
    const { specIndex } = this.#world.registry;
    const batch = { fence: this.fence, prevSpecIndex: this.#published, specIndex, put, deleted };
    this.#published = specIndex;
    this.#toDataPlanes((dataPlane) => dataPlane.onSpecs(batch));
  }

  #carryOut(effect: LeaderEffect): void {
    const world = this.#world;
    switch (effect.kind) {
      case 'command': {
        const { worker, envelope } = effect;
        world.promises.onCommandSent(this, worker, envelope);
        return this.#sendTo(worker, () => world.worker(worker)?.onCommand(envelope));
      }
      case 'notice': {
        const { worker, notice } = effect;
        return this.#sendTo(worker, () => world.worker(worker)?.onNotice(notice));
      }
      case 'endpoints': {
        const { batch } = effect;
        world.promises.onBatchSent(this, batch);
        for (const change of batch.changes) if (change.kind === 'withdraw') this.withdrew.add(change.sandbox);
        return this.#toDataPlanes((dataPlane) => dataPlane.onBatch(batch));
      }
      case 'probe-worker':
        return this.#probe(effect.worker);
      case 'trial': {
        const spec = this.#trialSpecs.get(effect.trial);
        this.#trialSpecs.delete(effect.trial);
        if (spec === undefined || !effect.result.ok) return;
        const { sandbox } = effect.result;
        // Between the trial and its end there is a proposal: it may be another leader by then.
        world.queue.after(2, () => {
          if (world.leader !== this || this.state !== 'leading') return;
          const record = world.registry.put(spec);
          this.applied(record.uid, record);
          this.act((brain, nowMs) => brain.adoptTrial(sandbox, record, nowMs));
        });
        return;
      }
      case 'spec-wait':
      case 'event':
        return;
      default:
        return unreachable(effect, 'effect');
    }
  }

  #sendTo(member: string, deliver: () => void): void {
    if (this.#busUp) this.#world.network.pass(member, 'in', deliver);
  }

  #toDataPlanes(deliver: (dataPlane: DataPlaneMember) => void): void {
    for (const id of this.#world.dataPlaneIds)
      this.#sendTo(id, () => {
        const dataPlane = this.#world.dataPlane(id);
        if (dataPlane !== undefined) deliver(dataPlane);
      });
  }

  /** The server answers for those who are not there, and knows nothing of a cut behind it. */
  #probe(worker: WorkerId): void {
    const { queue, network } = this.#world;
    const answer = (afterMs: number, what: 'no-responders' | 'answered' | 'unknown'): void => {
      queue.after(afterMs, () => this.hear((brain, nowMs) => brain.workerProbed(worker, what, nowMs)));
    };
    if (!this.#busUp || network.isCut(worker)) answer(PROBE_TIMEOUT_MS, 'unknown');
    else answer(2, this.#world.worker(worker) === undefined ? 'no-responders' : 'answered');
  }
}
