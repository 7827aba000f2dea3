/**
 * One term of leading: from the applied no-op to the step-down. Feeds the leader's brain with what comes in under this
 * term's subjects, carries out its effects, announces the term, and serves lookups and snapshots.
 *
 *   B1  nothing is published in a turn whose last quorum contact is older than an election timeout (RaftDriver.mayAct);
 *   B2  spec batches chain: each names the index that the one before it ended at.
 */
import { assert } from '../lib/assert.ts';
import { isBatonError } from '../lib/errors.ts';
import { dataPlaneId, workerId, type FunctionUid, type SandboxId } from '../lib/ids.ts';
import type { EventKind } from '../core/leader/event-kinds.ts';
import { Leader } from '../core/leader/leader.ts';
import type { LeaderEffect, TrialResult } from '../core/leader/types.ts';
import type { FunctionChange } from '../core/metadata/metadata-state.ts';
import type { EndpointBatch } from '../core/model/broadcast.ts';
import type { WorkerCommand } from '../core/model/command.ts';
import type { Pull } from '../core/model/data-plane-report.ts';
import type { Fence } from '../core/model/fence.ts';
import type { FunctionRecord, FunctionSpec } from '../core/model/function.ts';
import type { BusMessage, BusSubscription } from '../ports/bus.ts';
import type { Timer } from '../ports/system.ts';
import {
  encodeBeacon,
  encodeEndpointBatch,
  encodeEndpointSnapshot,
  encodeSpecBatch,
  encodeSpecSnapshot,
  fitsSpecBatch,
} from '../wire/broadcast-codec.ts';
import { chunkAt, chunkCount } from '../wire/chunks.ts';
import {
  decodeDataPlaneMessage,
  decodeLookup,
  decodePull,
  encodeDemandAck,
  encodeLookupReply,
  encodePullReply,
} from '../wire/data-plane-codec.ts';
import { kindOf, leadKindOf, senderOf, type LeadKind, type Subjects } from '../wire/subjects.ts';
import { WireError } from '../wire/wire-error.ts';
import { decodeWorkerReport, encodeCommand, encodeNotice } from '../wire/worker-codec.ts';
import { unreachable } from '../lib/assert.ts';
import type { ControlPlaneConfig, ControlPlanePorts } from './config.ts';
import type { DropCounter } from './drop-counter.ts';
import type { EventLog } from './event-log.ts';
import type { LeaderFigures } from './metrics.ts';
import type { RaftDriver } from './raft-driver.ts';
import type { TermBeginning } from './term-beginning.ts';
import type { TurnLoop } from './turn-loop.ts';

const TICK_MS = 20;
const PROBE_TIMEOUT_MS = 250;
const NO_PAYLOAD: Uint8Array = new Uint8Array(0);
/** Encoded snapshots kept for receivers that are still pulling. */
const KEPT_SNAPSHOTS = 3;

interface EncodedSnapshot {
  readonly bound: number;
  readonly version: string;
  readonly bytes: Uint8Array;
}

export class Leadership {
  readonly fence: Fence;
  readonly #config: ControlPlaneConfig;
  readonly #ports: ControlPlanePorts;
  readonly #subjects: Subjects;
  readonly #raft: RaftDriver;
  readonly #loop: TurnLoop;
  readonly #drops: DropCounter;
  readonly #events: EventLog;
  readonly #beginning: TermBeginning;
  /** Created first under this term, until data planes are told of it. */
  #firstCreated: SandboxId | undefined;
  readonly brain: Leader;
  readonly #subscriptions: BusSubscription[] = [];
  readonly #timers: { beacon: Timer | undefined; tick: Timer | undefined } = {
    beacon: undefined,
    tick: undefined,
  };
  readonly #trials = new Map<number, (result: TrialResult) => void>();
  readonly #waits = new Map<number, (laggards: readonly string[]) => void>();
  #nextId = 0;
  #publishedSpecIndex: number;
  #changed = new Map<FunctionUid, FunctionRecord | undefined>();
  readonly #received = new Map<LeadKind, number>();
  readonly #snapshots: Record<Pull['stream'], EncodedSnapshot[]> = { endpoints: [], specs: [] };
  #bounds = 0;
  #stopped = false;

  constructor(
    config: ControlPlaneConfig,
    ports: ControlPlanePorts,
    subjects: Subjects,
    raft: RaftDriver,
    loop: TurnLoop,
    drops: DropCounter,
    events: EventLog,
    beginning: TermBeginning,
  ) {
    this.#config = config;
    this.#ports = ports;
    this.#subjects = subjects;
    this.#raft = raft;
    this.#loop = loop;
    this.#drops = drops;
    this.#events = events;
    this.#beginning = beginning;
    this.fence = { epoch: raft.epoch, term: raft.status().term };
    const { state } = raft;
    const { upSinceMs, server } = ports.bus.status();
    this.#publishedSpecIndex = state.specIndex;
    this.brain = new Leader(
      {
        fence: this.fence,
        suspicionMs: config.suspicionMs,
        leaseMs: config.leaseMs,
        workerHeartbeatMs: config.workerHeartbeatMs,
        overdueMs: 300,
        coldStartPaceMs: 100,
        decideEveryMs: 250,
        trialTimeoutMs: config.trialTimeoutMs,
        specWaitMs: 2_000,
        placement: config.placement,
        artifactSources: config.members.map((member) => member.http),
      },
      state.list(),
      state.appliedIndex,
      ports.clock.now(),
      { upSinceMs, server, others: raft.servers },
    );
  }

  start(): void {
    const { bus, clock, logger } = this.#ports;
    const { epoch, term } = this.fence;
    logger.info({ epoch, term, ...this.#beginning.story }, 'leading: the no-op of this term is applied');
    this.#subscriptions.push(
      bus.subscribe(this.#subjects.leadInbox(this.fence.term), (message) => {
        // Somebody waits for the answer to these; the heartbeats of a whole fleet may be ahead of them.
        const kind = kindOf(message.subject);
        const receive = (): void => this.#receive(message);
        if (kind === 'demand' || kind === 'lookup' || kind === 'change') this.#loop.prompt(receive);
        else this.#loop.bulk(receive, kind === 'heartbeat' ? 'workers' : 'data-planes');
      }),
      bus.onStatus((status) => {
        this.#loop.bulk(() => this.brain.busStatus(status, clock.now()));
      }),
    );
    const { cause } = this.#beginning.story;
    const electionMs = Math.round(this.#beginning.electionMs ?? 0);
    this.#say('leading', this.#config.replica, `term ${term}, ${electionMs} ms after the ${cause}`);
    this.#beacon();
    this.#tick();
  }

  #say(kind: EventKind, subject: string, message: string, about = ''): void {
    this.#events.add(this.fence.term, { kind, subject, function: about, message });
  }

  stop(): void {
    this.#stopped = true;
    const { role, term, leader } = this.#raft.status();
    this.#say(
      'stepped-down',
      this.#config.replica,
      `${role} in term ${term}, ${leader === '' ? 'no leader yet' : `${leader} leads`}`,
    );
    this.#timers.beacon?.cancel();
    this.#timers.tick?.cancel();
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    for (const settle of this.#trials.values()) {
      settle({ ok: false, reason: 'timeout', message: 'leadership changed during the trial', log: '' });
    }
    for (const settle of this.#waits.values()) settle([]);
  }

  #tick(): void {
    if (this.#stopped) return;
    this.#loop.bulk(() => this.brain.tick(this.#ports.clock.now()));
    this.#timers.tick = this.#ports.clock.after(TICK_MS, () => this.#tick());
  }

  // ---- in ---------------------------------------------------------------------------------------------------------

  #receive(message: BusMessage): void {
    if (this.#stopped) return;
    const kind = leadKindOf(message.subject);
    const from = senderOf(message.subject);
    if (kind === undefined)
      return this.#drops.guard('unknown', from, () => {
        throw new WireError('unknown-kind', 'message to the leader');
      });
    this.#received.set(kind, (this.#received.get(kind) ?? 0) + 1);
    this.#drops.guard(kind, from, () => {
      const now = this.#ports.clock.now();
      switch (kind) {
        case 'heartbeat':
        case 'change':
          this.#beginning.reach('hello');
          return this.brain.workerReport(workerId(from), decodeWorkerReport(message.payload), now);
        case 'report':
          return this.brain.dataPlaneMessage(dataPlaneId(from), decodeDataPlaneMessage(message.payload), now);
        case 'demand':
          return this.#demand(from, message, now);
        case 'lookup':
          return this.#lookup(message);
        case 'pull':
          return this.#pull(message);
        default:
          return unreachable(kind, 'kind of message to the leader');
      }
    });
  }

  #reply(message: BusMessage, payload: Uint8Array): void {
    if (message.reply !== '' && !this.#stopped) this.#ports.bus.publish(message.reply, payload);
  }

  #demand(from: string, message: BusMessage, now: number): void {
    const demand = decodeDataPlaneMessage(message.payload);
    if (demand.kind !== 'demand') return;
    this.#beginning.reach('demand');
    this.brain.dataPlaneMessage(dataPlaneId(from), demand, now);
    this.#reply(message, encodeDemandAck({ fence: this.fence, seq: demand.seq }));
  }

  /** Through ReadIndex, so that a name that was acknowledged a moment ago by anyone is found. */
  #lookup(message: BusMessage): void {
    const { name } = decodeLookup(message.payload);
    this.#raft.readIndex().then(
      () => {
        const { state } = this.#raft;
        this.#reply(
          message,
          encodeLookupReply({ fence: this.fence, specIndex: state.specIndex, record: state.get(name) }),
        );
        return undefined;
      },
      // No answer: the data plane asks again, whoever leads then.
      () => undefined,
    );
  }

  #pull(message: BusMessage): void {
    // B1. A snapshot is as of the last batch, which may not be published now: the data plane asks again.
    if (!this.#raft.mayAct()) return;
    const pull = decodePull(message.payload);
    const snapshot = pull.bound === 0 ? this.#freshSnapshot(pull.stream) : this.#keptSnapshot(pull);
    const { fence } = this;
    const heard = this.brain.heardLife(dataPlaneId(senderOf(message.subject)));
    this.#reply(
      message,
      snapshot === undefined
        ? encodePullReply({
            fence,
            bound: pull.bound,
            chunk: pull.chunk,
            chunks: 0,
            bytes: NO_PAYLOAD,
            heard,
          })
        : encodePullReply({
            fence,
            bound: snapshot.bound,
            chunk: pull.chunk,
            chunks: chunkCount(snapshot.bytes),
            bytes: chunkAt(snapshot.bytes, pull.chunk),
            heard,
          }),
    );
  }

  #keptSnapshot(pull: Pull): EncodedSnapshot | undefined {
    return this.#snapshots[pull.stream].find((snapshot) => snapshot.bound === pull.bound);
  }

  /** Encoded once for everybody who asks while nothing changes. */
  #freshSnapshot(stream: Pull['stream']): EncodedSnapshot {
    this.#publish();
    const { state } = this.#raft;
    const version =
      stream === 'specs'
        ? `${this.#publishedSpecIndex}`
        : `${this.brain.endpointSeq} ${this.brain.isReconciled}`;
    const kept = this.#snapshots[stream];
    const latest = kept.at(-1);
    if (latest?.version === version) return latest;
    const bytes =
      stream === 'specs'
        ? encodeSpecSnapshot({ fence: this.fence, specIndex: state.specIndex, functions: state.list() })
        : encodeEndpointSnapshot(this.brain.endpointSnapshot());
    const fresh = { bound: ++this.#bounds, version, bytes };
    kept.push(fresh);
    if (kept.length > KEPT_SNAPSHOTS) kept.shift();
    return fresh;
  }

  applied(index: number, change: FunctionChange | undefined): void {
    this.brain.applied(index, change, this.#ports.clock.now());
    if (change !== undefined) this.#changed.set(change.uid, change.record);
  }

  // ---- out --------------------------------------------------------------------------------------------------------

  /** At the end of each turn (B1). */
  flush(): void {
    if (this.#stopped || !this.#raft.mayAct()) return;
    this.#publish();
  }

  #publish(): void {
    this.#publishSpecs();
    for (const effect of this.brain.takeEffects(this.#ports.clock.now())) this.#carryOut(effect);
  }

  /** B2. What does not fit one batch is pulled: the next beacon names an index that nobody was sent. */
  #publishSpecs(): void {
    const { specIndex } = this.#raft.state;
    if (specIndex === this.#publishedSpecIndex) return;
    const put: FunctionRecord[] = [];
    const deleted: FunctionUid[] = [];
    for (const [uid, record] of this.#changed) {
      if (record === undefined) deleted.push(uid);
      else put.push(record);
    }
    this.#changed = new Map();
    const prevSpecIndex = this.#publishedSpecIndex;
    this.#publishedSpecIndex = specIndex;
    if (!fitsSpecBatch(put)) return;
    const batch = encodeSpecBatch({ fence: this.fence, prevSpecIndex, specIndex, put, deleted });
    this.#ports.bus.publish(this.#subjects.specs(this.#config.replica), batch);
  }

  #carryOut(effect: LeaderEffect): void {
    const { bus } = this.#ports;
    const self = this.#config.replica;
    switch (effect.kind) {
      case 'command':
        this.#noteCreated(effect.envelope.command);
        return bus.publish(this.#subjects.command(effect.worker, self), encodeCommand(effect.envelope));
      case 'notice':
        return bus.publish(this.#subjects.notice(effect.worker, self), encodeNotice(effect.notice));
      case 'endpoints':
        bus.publish(this.#subjects.endpoints(self), encodeEndpointBatch(effect.batch));
        return this.#noteServed(effect.batch);
      case 'probe-worker':
        return this.#probeWorker(effect.worker);
      case 'trial': {
        this.#trials.get(effect.trial)?.(effect.result);
        this.#trials.delete(effect.trial);
        return;
      }
      case 'spec-wait': {
        this.#waits.get(effect.wait)?.(effect.laggards);
        this.#waits.delete(effect.wait);
        return;
      }
      case 'event':
        return this.#say(effect.event, effect.subject, effect.message, effect.function);
      default:
        return unreachable(effect, 'effect');
    }
  }

  #noteCreated(command: WorkerCommand): void {
    if (command.kind === 'create' && !command.trial && this.#beginning.reach('placed'))
      this.#firstCreated = command.sandbox;
  }

  #noteServed({ changes }: EndpointBatch): void {
    const sandbox = this.#firstCreated;
    if (sandbox === undefined) return;
    if (!changes.some((change) => change.kind === 'put' && change.endpoint.sandbox === sandbox)) return;
    this.#firstCreated = undefined;
    this.#beginning.reach('endpoint');
    const { term } = this.fence;
    this.#ports.logger.info({ term, sandbox, ...this.#beginning.story }, 'the first cold start of this term');
  }

  #probeWorker(worker: ReturnType<typeof workerId>): void {
    const subject = this.#subjects.notice(worker, this.#config.replica);
    const settle = (answer: 'no-responders' | 'answered' | 'unknown'): void => {
      this.#loop.bulk(() => {
        if (!this.#stopped) this.brain.workerProbed(worker, answer, this.#ports.clock.now());
      });
    };
    this.#ports.bus.request(subject, NO_PAYLOAD, PROBE_TIMEOUT_MS).then(
      () => settle('answered'),
      (error: unknown) => settle(isBatonError(error, 'no-responders') ? 'no-responders' : 'unknown'),
    );
  }

  /** The first one announces the term; later ones show the loss of a last message. */
  #beacon(): void {
    if (this.#stopped) return;
    this.#timers.beacon = this.#ports.clock.after(this.#config.beaconMs, () => this.#beacon());
    if (!this.#raft.mayAct()) return;
    this.#publish();
    const self = this.#config.members.find((member) => member.id === this.#config.replica);
    assert(self !== undefined, 'this replica is a member');
    const beacon = encodeBeacon({
      fence: this.fence,
      endpointSeq: this.brain.endpointSeq,
      digest: this.brain.digest(),
      specIndex: this.#publishedSpecIndex,
      complete: this.brain.isReconciled,
      http: self.http,
      grpc: self.grpc,
    });
    this.#ports.bus.publish(this.#subjects.beacon(this.#config.replica), beacon);
    this.#beginning.reach('beacon');
  }

  figures(): LeaderFigures {
    const { brain } = this;
    return {
      ...brain.counts(),
      events: this.#events.counts,
      received: this.#received,
      endpointSeq: brain.endpointSeq,
      reconstruction: brain.reconstruction(),
    };
  }

  // ---- for the API ------------------------------------------------------------------------------------------------

  trial(spec: FunctionSpec): Promise<TrialResult> {
    return new Promise((resolve) => {
      const id = ++this.#nextId;
      this.#trials.set(id, resolve);
      if (!this.#loop.bulk(() => this.brain.startTrial(id, spec, this.#ports.clock.now()))) {
        this.#trials.delete(id);
        resolve({ ok: false, reason: 'no-capacity', message: 'the leader is overloaded', log: '' });
      }
    });
  }

  adoptTrial(sandbox: SandboxId, record: FunctionRecord): void {
    this.#loop.bulk(() => this.brain.adoptTrial(sandbox, record, this.#ports.clock.now()));
  }

  dropTrial(sandbox: SandboxId): void {
    this.#loop.bulk(() => this.brain.dropTrial(sandbox, this.#ports.clock.now()));
  }

  /** Resolves when every live data plane holds this spec index, or names those that do not. */
  waitForSpec(specIndex: number): Promise<readonly string[]> {
    // Another leader's data planes are not ours to wait for.
    if (this.#stopped) return Promise.resolve([]);
    return new Promise((resolve) => {
      const id = ++this.#nextId;
      this.#waits.set(id, resolve);
      this.#loop.bulk(() => this.brain.waitForSpec(id, specIndex, this.#ports.clock.now()));
    });
  }
}
