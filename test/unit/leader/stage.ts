/** A leader with workers that carry its commands out, and one data plane that acknowledges: everything arrives at once. */
import { Leader } from '../../../src/core/leader/leader.ts';
import type { LeaderOptions } from '../../../src/core/leader/types.ts';
import type { FunctionLoad } from '../../../src/core/model/data-plane-report.ts';
import type { FunctionRecord, FunctionSpec, Label } from '../../../src/core/model/function.ts';
import type { WorkerCapacity } from '../../../src/core/model/worker-report.ts';
import { WorkerCore } from '../../../src/core/worker/worker-core.ts';
import type { WorkerEffect } from '../../../src/core/worker/types.ts';
import {
  dataPlaneId,
  functionName,
  functionUid,
  workerId,
  type Digest,
  type SandboxId,
  type WorkerId,
} from '../../../src/lib/ids.ts';
import { specWith } from '../autoscaler/fixtures.ts';
import { leaderOptions } from './options.ts';

export const SUSPICION_MS = 1_000;
const TICK_MS = 25;

interface StagedWorker {
  readonly core: WorkerCore;
  /** Starts end in readiness at once, stay as they are, or fail. */
  starts: 'at once' | 'never' | 'in vain';
}

export class Stage {
  leader: Leader;
  nowMs = 0;
  #term = 1;
  #index = 0;
  #seq = 0;
  readonly #records = new Map<string, FunctionRecord>();
  readonly workers: Map<WorkerId, StagedWorker> = new Map();
  readonly events: {
    readonly event: string;
    readonly subject: string;
    readonly function: string;
    readonly message: string;
  }[] = [];
  /** What the data plane reports to be asked of functions. */
  loads: readonly FunctionLoad[] = [];
  /** Requests that the data plane has in flight on a sandbox that is being withdrawn. */
  readonly inFlight: Map<SandboxId, number> = new Map();
  /** Every command that a worker was sent, in order. */
  readonly commands: string[] = [];
  /** What each batch of the endpoint stream did. */
  readonly batches: string[][] = [];
  readonly #options: Partial<LeaderOptions>;

  constructor(options: Partial<LeaderOptions> = {}) {
    this.#options = options;
    this.leader = this.#newLeader();
  }

  #newLeader(): Leader {
    return new Leader(
      leaderOptions({ fence: { epoch: 1, term: this.#term }, suspicionMs: SUSPICION_MS, ...this.#options }),
      [...this.#records.values()],
      this.#index,
      this.nowMs,
      { upSinceMs: this.nowMs, server: '', others: [] },
    );
  }

  /** Another replica leads; workers and the data plane hear of it. */
  failover(): void {
    this.#term++;
    this.leader = this.#newLeader();
    this.#announce();
  }

  #announce(): void {
    for (const { core } of this.workers.values()) core.onBeacon({ epoch: 1, term: this.#term }, this.nowMs);
    this.#settle();
  }

  worker(
    name: string,
    more: {
      capacity?: Partial<WorkerCapacity>;
      labels?: readonly Label[];
      artifacts?: readonly Digest[];
    } = {},
  ): StagedWorker {
    const core = new WorkerCore(
      {
        incarnation: { ms: 1_000 + this.nowMs, nonce: 1 },
        capacity: { cpuMillis: 1_000, memoryMiB: 1_024, sandboxes: 10, ...more.capacity },
        driver: 'staged',
        isolation: '',
        labels: more.labels ?? [],
        // Well within the suspicion.
        heartbeatMs: SUSPICION_MS / 2,
        trialLifetimeMs: 60_000,
        fence: { epoch: 0, term: 0 },
        cordoned: false,
        draining: false,
        artifacts: more.artifacts ?? [],
      },
      (statuses) => [statuses],
    );
    const staged: StagedWorker = { core, starts: 'at once' };
    this.workers.set(workerId(name), staged);
    this.#announce();
    return staged;
  }

  /** What was to start there has started, and what comes does at once. */
  catchUp(staged: StagedWorker): void {
    staged.starts = 'at once';
    for (const { id, state } of [...staged.core.sandboxes.values()])
      if (state === 'starting') becomeReady(staged.core, id);
    this.run(TICK_MS);
  }

  cordon(name: string, on: boolean, drain = false): void {
    this.leader.cordon(workerId(name), { on, drain }, this.nowMs);
    this.#settle();
  }

  drain(name: string): void {
    this.cordon(name, true, true);
  }

  put(name: string, scale: number, more: Partial<FunctionSpec> = {}): FunctionRecord {
    const before = this.#records.get(name);
    const index = ++this.#index;
    const record: FunctionRecord = {
      uid: before?.uid ?? functionUid(index),
      generation: (before?.generation ?? 0) + 1,
      specIndex: index,
      spec: { ...specWith({ min: scale, max: scale }), name: functionName(name), timeoutMs: 5_000, ...more },
    };
    this.#records.set(name, record);
    this.leader.applied(index, { uid: record.uid, specIndex: index, record }, this.nowMs);
    this.#settle();
    return record;
  }

  delete(name: string): void {
    const record = this.#records.get(name);
    if (record === undefined) throw new Error(`no function ${name}`);
    this.#records.delete(name);
    const index = ++this.#index;
    this.leader.applied(index, { uid: record.uid, specIndex: index, record: undefined }, this.nowMs);
    this.#settle();
  }

  /** Ticks, reports and commands, until `ms` have passed. */
  run(ms: number): void {
    const untilMs = this.nowMs + ms;
    while (this.nowMs < untilMs) {
      this.nowMs += TICK_MS;
      for (const { core } of this.workers.values()) core.tick(this.nowMs);
      this.leader.tick(this.nowMs);
      this.#settle();
    }
  }

  /** Past reconciliation. */
  reconciled(): this {
    this.run(3 * SUSPICION_MS);
    return this;
  }

  #settle(): void {
    for (let again = true; again;) {
      again = this.#carryOut();
      for (const [id, staged] of this.workers) {
        for (const effect of staged.core.takeEffects()) {
          again = true;
          this.#obey(id, staged, effect);
        }
        staged.core.tick(this.nowMs);
      }
      this.#dataPlane();
    }
  }

  #carryOut(): boolean {
    let some = false;
    for (const effect of this.leader.takeEffects(this.nowMs)) {
      some = true;
      if (effect.kind === 'command') {
        const { command } = effect.envelope;
        this.commands.push(
          `${effect.worker} ${command.kind}${'sandbox' in command ? ` ${command.sandbox}` : ''}`,
        );
        this.workers.get(effect.worker)?.core.onCommand(effect.envelope, this.nowMs);
      } else if (effect.kind === 'notice') this.workers.get(effect.worker)?.core.onNotice(effect.notice, 0);
      else if (effect.kind === 'event') this.events.push(effect);
      else if (effect.kind === 'endpoints') this.batches.push(effect.batch.changes.map(({ kind }) => kind));
    }
    return some;
  }

  #obey(id: WorkerId, { core, starts }: StagedWorker, effect: WorkerEffect): void {
    switch (effect.kind) {
      case 'report':
        if (effect.term === this.#term) this.leader.workerReport(id, effect.report, this.nowMs);
        return;
      case 'start':
        if (starts === 'at once') becomeReady(core, effect.create.sandbox);
        else if (starts === 'in vain') core.onGone(effect.create.sandbox, 'boom', '');
        return;
      case 'drain':
      case 'kill':
        return core.onGone(effect.sandbox, effect.kind, '');
      default:
        return;
    }
  }

  /** Has applied everything, and says what it still has in flight. */
  #dataPlane(): void {
    const withdrawing = [...this.inFlight].map(([sandbox, inFlight]) => ({ sandbox, inFlight }));
    this.leader.dataPlaneMessage(
      dataPlaneId('dp1'),
      {
        kind: 'report',
        incarnation: { ms: 1, nonce: 1 },
        seq: ++this.#seq,
        natsServer: '',
        caller: 'http://dp1',
        peer: 'dp1:1',
        fence: { epoch: 1, term: this.#term },
        endpointSeq: this.leader.endpointSeq,
        specIndex: this.#index,
        loads: this.loads,
        withdrawing,
        refused: [],
        owned: [],
        condemned: [],
      },
      this.nowMs,
    );
  }

  /** How many sandboxes each worker has that serve or will. */
  spread(): Record<string, number> {
    const counts = Object.fromEntries([...this.workers.keys()].map((id): [string, number] => [id, 0]));
    for (const { worker, state } of this.leader.sandboxes())
      if (state === 'ready' || state === 'pending' || state === 'starting')
        counts[worker] = (counts[worker] ?? 0) + 1;
    return counts;
  }

  reason(): string {
    return this.leader.functions()[0]?.reason ?? '';
  }
}

function becomeReady(core: WorkerCore, sandbox: SandboxId): void {
  core.onStarted(sandbox, { address: `unix:/${sandbox}`, pid: 1, stages: [] });
}
