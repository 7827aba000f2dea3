/**
 * What this data plane knows: specifications and endpoints, from the leader's batches, beacons and snapshots, kept in a file
 * for the day when there is nobody to ask.
 */
import { explain } from '../lib/errors.ts';
import type { SandboxId } from '../lib/ids.ts';
import { EndpointReplica, type TableUpdate } from '../core/endpoints/endpoint-replica.ts';
import type { Dispatcher } from '../core/dispatch/dispatcher.ts';
import { SpecReplica, type SpecUpdate } from '../core/dispatch/spec-replica.ts';
import { compareFence, NO_FENCE, type Fence, type Incarnation } from '../core/model/fence.ts';
import type { EndpointChange } from '../core/model/broadcast.ts';
import type { FunctionRecord } from '../core/model/function.ts';
import type { Bus, BusMessage, BusSubscription } from '../ports/bus.ts';
import type { Clock, Logger, Timer } from '../ports/system.ts';
import type { TableFile } from '../ports/table-file.ts';
import {
  decodeBeacon,
  decodeEndpointBatch,
  decodeEndpointSnapshot,
  decodeSpecBatch,
  decodeSpecSnapshot,
} from '../wire/broadcast-codec.ts';
import type { Subjects } from '../wire/subjects.ts';
import type { LeaderLink } from './leader-link.ts';
import type { MalformedMessages } from './malformed.ts';
import type { DataPlaneMetrics } from './metrics.ts';
import { Puller } from './puller.ts';
import { decodeTables, encodeTables } from './table-store.ts';

const EXPIRE_EVERY_MS = 10_000;
/** Between two savings, in units of how long the last one took: large tables that change all the time are no burden. */
const SAVE_REST = 20;
const SAVE_REST_MOST_MS = 10_000;

export interface TablesOptions {
  readonly clock: Clock;
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly link: LeaderLink;
  readonly dispatcher: Pick<
    Dispatcher<unknown>,
    'putFunction' | 'deleteFunction' | 'putEndpoint' | 'withdrawEndpoint' | 'setOwner'
  >;
  readonly file: TableFile;
  readonly saveDelayMs: number;
  readonly metrics: DataPlaneMetrics;
  readonly malformed: MalformedMessages;
  readonly logger: Logger;
  /** A leader is heard for the first time in its term, or in this life. */
  readonly onLeader: () => void;
  /** Which life of ours the leader that answers has heard of last. */
  readonly onHeard: (heard: Incarnation | undefined) => void;
  readonly onKnown: (record: FunctionRecord) => void;
  /** A leader has said which functions there are, whole. */
  readonly onAllSpecs: () => void;
  /** What the leader waits for may have changed: it is told. */
  readonly onApplied: () => void;
  /** The dispatcher has effects to be carried out. */
  readonly onEffects: () => void;
}

export class Tables {
  readonly specs: SpecReplica = new SpecReplica();
  endpoints: EndpointReplica = new EndpointReplica();
  readonly #options: TablesOptions;
  readonly #pullSpecs: Puller;
  readonly #pullEndpoints: Puller;
  readonly #subscriptions: BusSubscription[] = [];
  #endpointsSynced = false;
  #believed: Fence = NO_FENCE;
  /** Nothing new has been started under the fence that is believed. */
  #isNewTerm = false;
  #saveTimer: Timer | undefined;
  #expireTimer: Timer | undefined;
  #saving = false;
  #saveTookMs = 0;
  #stopped = false;

  constructor(options: TablesOptions) {
    this.#options = options;
    const { clock, link, onHeard } = options;
    this.#pullSpecs = new Puller({
      stream: 'specs',
      clock,
      link,
      onHeard,
      onSnapshot: (bytes) => this.#onSpecs(bytes),
    });
    this.#pullEndpoints = new Puller({
      stream: 'endpoints',
      clock,
      link,
      onHeard,
      onSnapshot: (bytes) => this.#onEndpoints(bytes),
    });
  }

  /** Both tables have been filled, from a leader or from the file. */
  get synced(): boolean {
    return this.specs.synced && this.#endpointsSynced;
  }

  /** A damaged file is as good as none. */
  async load(): Promise<void> {
    const { file, logger, clock, link, dispatcher } = this.#options;
    const bytes = await file.load();
    if (bytes === undefined) return;
    try {
      const saved = decodeTables(bytes);
      const now = clock.now();
      this.endpoints = EndpointReplica.restore(saved.endpoints, now);
      const { put } = this.specs.onSnapshot(saved.specs);
      link.restore(saved.endpoints.fence);
      for (const record of put) dispatcher.putFunction(record, now);
      for (const { uid, owner } of saved.endpoints.owners) dispatcher.setOwner(uid, owner, now);
      for (const endpoint of saved.endpoints.endpoints) dispatcher.putEndpoint(endpoint, now);
      this.#endpointsSynced = true;
      logger.info({ functions: put.length, endpoints: this.endpoints.size }, 'serving from the table file');
    } catch (error) {
      logger.warn({ error: explain(error) }, 'table file ignored');
    }
  }

  start(): void {
    const { bus, subjects, malformed } = this.#options;
    const on = <T>(
      subject: string,
      kind: string,
      decode: (bytes: Uint8Array) => T,
      handle: (message: T) => void,
    ): void => {
      const receive = ({ subject: from, payload }: BusMessage): void => {
        const message = malformed.decode(kind, from, payload, decode);
        if (message !== undefined && !this.#stopped) handle(message);
      };
      this.#subscriptions.push(bus.subscribe(subject, receive));
    };
    on(subjects.beacons, 'beacon', decodeBeacon, (beacon) => {
      if (!this.#see(beacon.fence)) return;
      const update = this.endpoints.onBeacon(beacon, this.#options.clock.now());
      // Nothing is missing, also when there is nothing yet.
      if (!update.pull && !update.fenced) this.#endpointsSynced = true;
      this.#applyEndpoints(update);
      this.#applySpecs(this.specs.onBeacon(beacon.fence, beacon.specIndex));
    });
    on(subjects.allEndpoints, 'endpoints', decodeEndpointBatch, (batch) => {
      if (this.#see(batch.fence))
        this.#applyEndpoints(this.endpoints.onBatch(batch, this.#options.clock.now()));
    });
    on(subjects.allSpecs, 'specs', decodeSpecBatch, (batch) => {
      if (this.#see(batch.fence)) this.#applySpecs(this.specs.onBatch(batch));
    });
    this.#expire();
  }

  /** An endpoint refused a connection: out of use here until its worker is heard again. */
  refuse(sandbox: SandboxId): void {
    this.endpoints.refuse(sandbox);
  }

  /** Which functions are there, as of now. */
  askForSpecs(): void {
    this.#pullSpecs.pull(true);
  }

  /** A lookup brought something. */
  onSpecUpdate(update: SpecUpdate): void {
    this.#applySpecs(update);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    this.#pullSpecs.stop();
    this.#pullEndpoints.stop();
    this.#expireTimer?.cancel();
    if (this.#saveTimer !== undefined) {
      this.#saveTimer.cancel();
      await this.#save();
    }
  }

  /** False: nobody may be believed who speaks under it. */
  #see(fence: Fence): boolean {
    const seen = this.#options.link.see(fence);
    if (seen === 'refused') this.#options.metrics.fenced.inc();
    if (seen === 'new') this.#options.onLeader();
    if (seen !== 'refused') this.#believe(fence);
    return seen !== 'refused';
  }

  /** On the record: whose word it took last. */
  #believe(fence: Fence): void {
    if (compareFence(fence, this.#believed) === 0) return;
    this.#believed = fence;
    this.#isNewTerm = true;
    const { logger, clock } = this.#options;
    logger.info({ epoch: fence.epoch, term: fence.term, atMs: clock.now() }, 'fence believed');
  }

  #onSpecs(bytes: Uint8Array): void {
    const snapshot = this.#options.malformed.decode('spec snapshot', 'pull', bytes, decodeSpecSnapshot);
    if (snapshot === undefined) return;
    this.#applySpecs(this.specs.onSnapshot(snapshot));
    this.#options.onAllSpecs();
  }

  #onEndpoints(bytes: Uint8Array): void {
    const { malformed, clock } = this.#options;
    const snapshot = malformed.decode('endpoint snapshot', 'pull', bytes, decodeEndpointSnapshot);
    if (snapshot === undefined) return;
    const update = this.endpoints.onSnapshot(snapshot, clock.now());
    if (!update.fenced) {
      this.#endpointsSynced = true;
      this.#believe(snapshot.fence);
    }
    this.#applyEndpoints(update, true);
  }

  #applySpecs(update: SpecUpdate): void {
    const { dispatcher, clock, metrics, onKnown, onApplied, onEffects } = this.#options;
    if (update.fenced) return metrics.fenced.inc();
    if (update.pull) {
      metrics.pulls.inc({ stream: 'specs' });
      this.#pullSpecs.pull();
    }
    const now = clock.now();
    for (const uid of update.deleted) dispatcher.deleteFunction(uid, now);
    for (const record of update.put) dispatcher.putFunction(record, now);
    onEffects();
    for (const record of update.put) onKnown(record);
    if (update.put.length + update.deleted.length === 0) return;
    onApplied();
    this.#saveSoon();
  }

  #applyEndpoints(update: TableUpdate, isSnapshot = false): void {
    const { dispatcher, clock, metrics, onApplied, onEffects } = this.#options;
    if (update.fenced) return metrics.fenced.inc();
    if (update.pull) {
      metrics.pulls.inc({ stream: 'endpoints' });
      this.#pullEndpoints.pull();
    }
    const now = clock.now();
    for (const change of update.changes) {
      if (change.kind === 'put') dispatcher.putEndpoint(change.endpoint, now);
      else if (change.kind === 'withdraw') {
        metrics.withdrawals.inc();
        dispatcher.withdrawEndpoint(change.sandbox, now);
      } else dispatcher.setOwner(change.uid, change.owner, now);
    }
    onEffects();
    if (this.#isNewTerm) this.#noteFirst(update.changes, now);
    if (update.changes.length > 0 || isSnapshot) onApplied();
    if (update.changes.length > 0 || update.newFence) this.#saveSoon();
  }

  /** On the record: when the first sandbox that was not here before came in under the fence that is believed. */
  #noteFirst(changes: readonly EndpointChange[], atMs: number): void {
    const first = changes.find((change) => change.kind === 'put');
    if (first === undefined) return;
    this.#isNewTerm = false;
    const { sandbox } = first.endpoint;
    this.#options.logger.info(
      { term: this.#believed.term, sandbox, atMs },
      'the first new sandbox of this term',
    );
  }

  /** Ports are used again some day: an address that nobody has confirmed for long is not believed (R7). */
  #expire(): void {
    this.#applyEndpoints(this.endpoints.expire(this.#options.clock.now()));
    this.#expireTimer = this.#options.clock.after(EXPIRE_EVERY_MS, () => this.#expire());
  }

  #saveSoon(): void {
    if (this.#saveTimer !== undefined || this.#stopped) return;
    const { clock, saveDelayMs } = this.#options;
    const waitMs = Math.max(saveDelayMs, Math.min(SAVE_REST * this.#saveTookMs, SAVE_REST_MOST_MS));
    this.#saveTimer = clock.after(waitMs, () => {
      this.#saveTimer = undefined;
      if (this.#saving) this.#saveSoon();
      else void this.#save();
    });
  }

  /** Never rejects: without the file the data plane still works, until it is restarted alone. */
  async #save(): Promise<void> {
    if (!this.synced) return;
    this.#saving = true;
    const { clock, file, logger } = this.#options;
    const beganMs = clock.now();
    try {
      await file.save(encodeTables({ specs: this.specs.save(), endpoints: this.endpoints.save() }));
    } catch (error) {
      logger.warn({ error: explain(error) }, 'table file not written');
    } finally {
      this.#saveTookMs = clock.now() - beganMs;
      this.#saving = false;
    }
  }
}
