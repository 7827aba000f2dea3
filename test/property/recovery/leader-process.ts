/**
 * A leader of one term: the production brain, and as much of a shell as it takes to carry out its effects. It begins once the
 * no-op of its term is applied, and publishes only while its replica may act (control-plane/leadership.ts, B1).
 */
import { Leader } from '../../../src/core/leader/leader.ts';
import type { LeaderEffect, TrialResult } from '../../../src/core/leader/types.ts';
import type { FunctionChange } from '../../../src/core/metadata/metadata-state.ts';
import type { EndpointSnapshot, SpecSnapshot } from '../../../src/core/model/broadcast.ts';
import type { LookupReply } from '../../../src/core/model/data-plane-report.ts';
import type { Fence } from '../../../src/core/model/fence.ts';
import type { FunctionRecord, FunctionSpec } from '../../../src/core/model/function.ts';
import type { MetadataCommand, MetadataOutcome } from '../../../src/core/model/metadata.ts';
import type {
  DataPlaneId,
  FunctionName,
  FunctionUid,
  ReplicaId,
  SandboxId,
  WorkerId,
} from '../../../src/lib/ids.ts';
import { unreachable } from '../../../src/lib/assert.ts';
import type { DataPlaneMember, LeaderHost, LeaderMember, World } from './cast.ts';
import type { Stream } from './network.ts';
import { LEASE_MS, SUSPICION_MS } from './timing.ts';
import { leaderOptions } from '../../unit/leader/options.ts';

const TICK_MS = 20;
const BEACON_MS = 100;
const PROBE_TIMEOUT_MS = 250;
/** How long a leader of old believes that it leads, once it is woken. */
const ZOMBIE_MS = 150;

export class LeaderProcess implements LeaderMember {
  readonly fence: Fence;
  readonly host: ReplicaId;
  readonly brain: Leader;
  /** frozen: SIGSTOP; it knows nothing of what happens meanwhile. woken: it says what it was about to say, whoever leads now. */
  state: 'leading' | 'frozen' | 'woken' | 'dead' = 'leading';
  readonly withdrew: Set<SandboxId> = new Set();
  readonly heardMs: Map<WorkerId, number> = new Map();
  readonly lives: Map<DataPlaneId, number> = new Map();
  readonly missed: Set<WorkerId> = new Set();
  readonly #world: World;
  readonly #host: LeaderHost;
  readonly #startedMs: number;
  #published: number;
  #changed = new Map<FunctionUid, FunctionRecord | undefined>();
  #numbers = 0;
  readonly #trials = new Map<number, (result: TrialResult) => void>();
  readonly #waits = new Map<number, (laggards: readonly DataPlaneId[]) => void>();

  constructor(world: World, host: LeaderHost, fence: Fence) {
    this.#world = world;
    this.#host = host;
    this.host = host.id;
    this.fence = fence;
    const { state, bulk } = host;
    this.#startedMs = world.nowMs;
    this.#published = state.specIndex;
    this.brain = new Leader(
      leaderOptions({ fence, suspicionMs: SUSPICION_MS, leaseMs: LEASE_MS }),
      state.list(),
      state.appliedIndex,
      world.nowMs,
      { upSinceMs: bulk.sinceMs, server: world.server(host.id), others: world.replicaIds.map(world.server) },
    );
    if (!bulk.up) this.brain.busStatus({ up: false, server: '' }, world.nowMs);
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

  /** With its process: nobody who waits is answered. */
  die(): void {
    this.state = 'dead';
  }

  /** Its replica does not lead any more. */
  stop(): void {
    this.state = 'dead';
    for (const settle of this.#trials.values())
      settle({ ok: false, reason: 'timeout', message: 'leadership changed during the trial', log: '' });
    for (const settle of this.#waits.values()) settle([]);
  }

  freeze(): void {
    this.state = 'frozen';
  }

  wake(): void {
    if (this.state !== 'frozen') return;
    this.state = 'woken';
    this.announce();
    this.#world.queue.after(ZOMBIE_MS, () => {
      this.state = 'dead';
    });
  }

  get isAwake(): boolean {
    return this.state === 'leading' || this.state === 'woken';
  }

  /** Stopped between the question whether it may and its words, it says them when it is woken. */
  get #mayPublish(): boolean {
    return this.state === 'woken' || (this.state === 'leading' && this.#host.mayAct());
  }

  /** One turn of its loop; nothing while it is stopped or gone. */
  act(run: (brain: Leader, nowMs: number) => void): void {
    if (!this.isAwake) return;
    run(this.brain, this.#world.nowMs);
    this.flush();
  }

  /** The same, with what came over the bus. */
  hear(run: (brain: Leader, nowMs: number) => void): void {
    if (this.#host.bulk.up) this.act(run);
  }

  onBulk(up: boolean): void {
    const server = up ? this.#world.server(this.host) : '';
    this.act((brain, nowMs) => brain.busStatus({ up, server }, nowMs));
  }

  #tick(): void {
    if (this.state === 'dead') return;
    this.act((brain, nowMs) => brain.tick(nowMs));
    this.#world.queue.after(TICK_MS, () => this.#tick());
  }

  #beacon(): void {
    if (this.state === 'dead') return;
    this.announce();
    this.#world.queue.after(BEACON_MS, () => this.#beacon());
  }

  announce(): void {
    if (!this.#mayPublish) return;
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
    for (const id of this.#world.workerIds)
      this.#sendTo(id, 'beacons', () => this.#world.worker(id)?.onBeacon(beacon));
    this.#toDataPlanes('beacons', (dataPlane) => dataPlane.onBeacon(beacon));
  }

  // ---- metadata -----------------------------------------------------------------------------------------------------

  applied(index: number, change: FunctionChange | undefined): void {
    this.brain.applied(index, change, this.#world.nowMs);
    if (change !== undefined) this.#changed.set(change.uid, change.record);
  }

  /** A sandbox of it is started before it is proposed. */
  trial(spec: FunctionSpec, onEnd: (result: TrialResult) => void): void {
    const number = ++this.#numbers;
    this.#trials.set(number, onEnd);
    this.act((brain, nowMs) => brain.startTrial(number, spec, nowMs));
  }

  adoptTrial(sandbox: SandboxId, record: FunctionRecord): void {
    this.act((brain, nowMs) => brain.adoptTrial(sandbox, record, nowMs));
  }

  dropTrial(sandbox: SandboxId): void {
    this.act((brain, nowMs) => brain.dropTrial(sandbox, nowMs));
  }

  /** Until every live data plane holds this spec index, or two seconds. */
  waitForSpec(specIndex: number, onEnd: (laggards: readonly DataPlaneId[]) => void): void {
    const number = ++this.#numbers;
    this.#waits.set(number, onEnd);
    this.act((brain, nowMs) => brain.waitForSpec(number, specIndex, nowMs));
  }

  /** Undefined: it may not publish, and a snapshot is as of the last batch. */
  endpointSnapshot(): EndpointSnapshot | undefined {
    if (!this.#mayPublish) return undefined;
    this.flush();
    const snapshot = this.brain.endpointSnapshot();
    this.#world.promises.onSnapshotMade(this, snapshot);
    return snapshot;
  }

  specSnapshot(): SpecSnapshot | undefined {
    if (!this.#mayPublish) return undefined;
    this.flush();
    const { state } = this.#host;
    return { fence: this.fence, specIndex: state.specIndex, functions: state.list() };
  }

  /** Through a round of Raft: whatever was acknowledged before the question is in the answer; none when it does not lead. */
  lookUp(name: FunctionName, onEnd: (reply: LookupReply) => void): void {
    if (this.state !== 'leading') return;
    this.#host.readIndex((isServed) => {
      const { state } = this.#host;
      if (isServed && this.#mayPublish)
        onEnd({ fence: this.fence, specIndex: state.specIndex, record: state.get(name) });
    });
  }

  propose(
    command: Exclude<MetadataCommand, { kind: 'no-op' }>,
    onEnd: (outcome: MetadataOutcome | 'overtaken') => void,
  ): void {
    if (this.state === 'leading') this.#host.propose(command, onEnd);
  }

  /** Some worker takes new sandboxes: a trial can be made. */
  get hasRoom(): boolean {
    return this.brain.workers().some(({ state, cordoned }) => state === 'alive' && !cordoned);
  }

  get appliedIndex(): number {
    return this.#host.state.appliedIndex;
  }

  // ---- out ----------------------------------------------------------------------------------------------------------

  flush(): void {
    if (!this.#mayPublish) return;
    this.#publishSpecs();
    for (const effect of this.brain.takeEffects(this.#world.nowMs)) this.#carryOut(effect);
  }

  #publishSpecs(): void {
    const { specIndex } = this.#host.state;
    if (specIndex === this.#published) return;
    const put = [...this.#changed.values()].filter((record) => record !== undefined);
    const deleted = [...this.#changed].filter(([, record]) => record === undefined).map(([uid]) => uid);
    this.#changed = new Map();
    const batch = { fence: this.fence, prevSpecIndex: this.#published, specIndex, put, deleted };
    this.#published = specIndex;
    this.#toDataPlanes('spec batches', (dataPlane) => dataPlane.onSpecs(batch));
  }

  #carryOut(effect: LeaderEffect): void {
    const world = this.#world;
    switch (effect.kind) {
      case 'command': {
        const { worker, envelope } = effect;
        world.promises.onCommandSent(this, worker, envelope);
        return this.#sendTo(worker, 'commands', () => world.worker(worker)?.onCommand(envelope));
      }
      case 'notice': {
        const { worker, notice } = effect;
        return this.#sendTo(worker, 'commands', () => world.worker(worker)?.onNotice(notice));
      }
      case 'endpoints': {
        const { batch } = effect;
        world.promises.onBatchSent(this, batch);
        for (const change of batch.changes) if (change.kind === 'withdraw') this.withdrew.add(change.sandbox);
        return this.#toDataPlanes('endpoint batches', (dataPlane) => dataPlane.onBatch(batch));
      }
      case 'probe-worker':
        return this.#probe(effect.worker);
      case 'trial': {
        const settle = this.#trials.get(effect.trial);
        this.#trials.delete(effect.trial);
        // In a turn of its own, like whatever waits for a promise.
        return void world.queue.soon(() => settle?.(effect.result));
      }
      case 'spec-wait': {
        const settle = this.#waits.get(effect.wait);
        this.#waits.delete(effect.wait);
        return void world.queue.soon(() => settle?.(effect.laggards));
      }
      case 'event':
        return;
      default:
        return unreachable(effect, 'effect');
    }
  }

  #sendTo(member: string, stream: Stream, deliver: () => void): void {
    if (this.#host.bulk.up) this.#world.network.pass(this.#host.id, member, stream, deliver);
  }

  #toDataPlanes(stream: Stream, deliver: (dataPlane: DataPlaneMember) => void): void {
    for (const id of this.#world.dataPlaneIds)
      this.#sendTo(id, stream, () => {
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
    if (!this.#host.bulk.up || network.isCut(this.#host.id, worker)) answer(PROBE_TIMEOUT_MS, 'unknown');
    else answer(2, this.#world.worker(worker) === undefined ? 'no-responders' : 'answered');
  }
}
