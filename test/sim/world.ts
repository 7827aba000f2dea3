/** The simulated cluster: production roles, simulated ports. What outlives a process (disks, files) lives here. */
import { FenceWitness } from '../../chaos/verifiers/fence.ts';
import { ApiService } from '../../src/api/service.ts';
import { controlPlaneDefaults } from '../../src/control-plane/config.ts';
import { ControlPlane } from '../../src/control-plane/control-plane.ts';
import { DATA_PLANE_DEFAULTS } from '../../src/data-plane/config.ts';
import { DataPlane } from '../../src/data-plane/data-plane.ts';
import type { SimulatedRuntime } from '../../src/adapters/runtimes/simulated/simulated.ts';
import { BatonError, explain } from '../../src/lib/errors.ts';
import { clusterId, dataPlaneId, replicaId, workerId, type ClusterId } from '../../src/lib/ids.ts';
import { prng, type Prng } from '../../src/lib/prng.ts';
import type { Bus } from '../../src/ports/bus.ts';
import type { SaveBatch } from '../../src/ports/log-store.ts';
import type { Logger } from '../../src/ports/system.ts';
import type { WorkerState } from '../../src/ports/worker-state.ts';
import { workerDefaults } from '../../src/worker/config.ts';
import { Worker } from '../../src/worker/worker.ts';
import type { SimOptions } from './options.ts';
import { SimProcess, type Skew } from './process.ts';
import { Scheduler } from './scheduler.ts';
import { BAD_DISK, NO_SPACE } from './sim-files.ts';
import { SimNetwork } from './sim-bus.ts';
import { SimArtifactPeers, SimArtifactStore } from './sim-artifacts.ts';
import { SimDisk, WitnessedLogStore } from './sim-disk.ts';
import { SimFront, SimUpstream, type SimTarget } from './sim-http.ts';
import { SimSandboxes } from './sim-sandboxes.ts';
import { Trace } from './trace.ts';

export interface SimReplica {
  readonly id: string;
  readonly disk: SimDisk;
  process: SimProcess | undefined;
  controlPlane: ControlPlane | undefined;
  service: Pick<ApiService, 'call'> | undefined;
  /** Its connection for everything but Raft. */
  bus: Bus | undefined;
  /** Highest term that it ever put into a message: it must never be below it again. */
  shownTerm: number;
}

export interface SimWorker {
  readonly id: string;
  state: WorkerState | undefined;
  process: SimProcess | undefined;
  worker: Worker | undefined;
  runtime: SimulatedRuntime | undefined;
  /** Of its next starts, so many fail. */
  failingStarts: number;
}

export interface SimDataPlane {
  readonly id: string;
  tables: Uint8Array | undefined;
  process: SimProcess | undefined;
  plane: DataPlane | undefined;
  front: SimFront;
  peerFront: SimFront;
}

export const PEER_TOKEN = 'peer-token-of-the-simulator';
const CLUSTER: ClusterId = clusterId('sim');
const ids = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i + 1}`);
const http = (id: string): string => `http://${id}`;
const isOfDisk = (error: unknown): boolean =>
  [NO_SPACE, BAD_DISK].some((what) => explain(error).includes(what));

export class World {
  readonly options: SimOptions;
  readonly scheduler: Scheduler = new Scheduler();
  readonly trace: Trace = new Trace();
  readonly random: Prng;
  readonly network: SimNetwork;
  readonly replicas: readonly SimReplica[];
  readonly workers: readonly SimWorker[];
  readonly planes: readonly SimDataPlane[];
  readonly sandboxes: SimSandboxes = new SimSandboxes((what) => this.violation(what));
  readonly violations: string[] = [];
  /** Of machines, through the lives of their processes. */
  readonly skews: Map<string, Skew> = new Map();
  readonly #fences = new FenceWitness((what) => this.violation(`FENCE: ${what}`));
  #lives = 0;
  onDiskLost: (replica: SimReplica) => void = () => undefined;
  /** Hears what a member logs for debugging. */
  onDetail: (id: string, fields: Readonly<Record<string, unknown>>, message: string) => void = () =>
    undefined;
  /** Hears that a data plane's connection to a sandbox, or to a peer, was refused. */
  onRefused: (dataPlane: string, address: string) => void = () => undefined;
  /** Whether a connection that does not go over the bus gets through. */
  reaches: (from: string, to: string) => boolean = () => true;
  /** Kept down through the liveness phase. */
  readonly #heldDown = new Set<string>();
  /** Until when each has been, or may have been, out of reach of others. */
  readonly #apart = new Map<string, number>();

  constructor(options: SimOptions, dataPlanePrefix = 'dp') {
    this.options = options;
    this.random = prng(options.seed);
    this.network = new SimNetwork(this.scheduler, this.random.fork('network'), this.trace, options.delays);
    this.replicas = ids('r', options.replicas).map((id) => ({
      id,
      disk: new SimDisk(options.lyingDisks),
      process: undefined,
      controlPlane: undefined,
      service: undefined,
      bus: undefined,
      shownTerm: 0,
    }));
    for (const replica of this.replicas) {
      replica.disk.onForgotten = () => {
        replica.shownTerm = 0;
        this.onDiskLost(replica);
      };
    }
    this.workers = ids('w', options.workers).map((id) => ({
      id,
      state: undefined,
      process: undefined,
      worker: undefined,
      runtime: undefined,
      failingStarts: 0,
    }));
    this.planes = ids(dataPlanePrefix, options.dataPlanes).map((id) => ({
      id,
      tables: undefined,
      process: undefined,
      plane: undefined,
      front: new SimFront(),
      peerFront: new SimFront(),
    }));
  }

  get nowMs(): number {
    return this.scheduler.nowMs;
  }

  tell(text: string): void {
    this.trace.tell(this.nowMs, text);
  }

  violation(text: string): void {
    this.tell(`VIOLATION ${text}`);
    this.violations.push(`${(this.nowMs / 1_000).toFixed(3)}: ${text}`);
  }

  /** A life's own stream of randomness: what another process draws does not shift it. */
  #life(id: string): { process: SimProcess; random: Prng; nonce: number } {
    const life = ++this.#lives;
    return {
      process: new SimProcess(id, this.scheduler, this.#skewOf(id)),
      random: this.random.fork(`${id}/${life}`),
      nonce: life,
    };
  }

  #skewOf(id: string): Skew {
    let skew = this.skews.get(id);
    if (skew === undefined) {
      const { driftPerMille } = this.options.timing;
      const ahead = (prng(`${this.options.seed}/clock/${id}`).float() * 2 - 1) * driftPerMille;
      this.skews.set(id, (skew = { rate: 1 + ahead / 1_000, wallMs: 0 }));
    }
    return skew;
  }

  #logger(id: string): Logger {
    const say = (fields: Readonly<Record<string, unknown>>, message: string): void => {
      const { error } = fields;
      this.tell(`${id}: ${message}${typeof error === 'string' ? ` (${error})` : ''}`);
    };
    const logger: Logger = {
      debug: (fields, message) => this.onDetail(id, fields, message),
      info: () => undefined,
      warn: say,
      error: say,
      child: () => logger,
    };
    return logger;
  }

  #fatal(id: string, process: SimProcess): (error: Error) => void {
    return (error) => {
      const replica = this.replicas.find((one) => one.id === id);
      if (replica !== undefined && isOfDisk(error)) {
        this.#diskRefused(replica, process, error);
        return;
      }
      this.violation(`${id} cannot go on: ${explain(error)}`);
      process.kill();
    };
  }

  /** It ends, and tries again; the disk may have room by the time that its refusal is heard of. */
  #diskRefused(replica: SimReplica, process: SimProcess, error: unknown): void {
    this.tell(`${replica.id} stops: ${explain(error)}`);
    process.kill();
    this.scheduler.after(500, () => {
      if (!this.isHeldDown(replica.id)) this.startReplica(replica);
    });
  }

  keepApart(id: string, forMs: number): void {
    this.#apart.set(id, Math.max(this.#apart.get(id) ?? 0, this.nowMs + forMs));
  }

  /** It has been within everybody's reach for `ms`. */
  isWithinReach(id: string, ms: number): boolean {
    return this.nowMs > (this.#apart.get(id) ?? Number.NEGATIVE_INFINITY) + ms;
  }

  holdDown(ids: readonly string[]): void {
    this.#heldDown.clear();
    for (const id of ids) this.#heldDown.add(id);
  }

  isHeldDown(id: string): boolean {
    return this.#heldDown.has(id);
  }

  /** As `baton bootstrap` does it; `history` is what each disk holds from the beginning. */
  async bootstrap(history?: SaveBatch): Promise<void> {
    let created = 0;
    for (const replica of this.replicas) {
      const { process, random } = this.#life(replica.id);
      const store = this.#store(replica, process, random.fork('disk'));
      const identity = {
        cluster: CLUSTER,
        replica: replicaId(replica.id),
        epoch: 1,
        incarnationMs: 0,
        voter: true,
        votesAboveTerm: 0,
      };
      void store
        .create(identity)
        .then(() => (history === undefined ? undefined : store.save(history)))
        .then(() => store.close())
        .then(() => created++);
    }
    await this.scheduler.runUntil(this.nowMs + 1_000, () => created === this.replicas.length);
  }

  #store(replica: SimReplica, process: SimProcess, random: Prng): WitnessedLogStore {
    return new WitnessedLogStore(replica.disk, process, random, (text) =>
      this.violation(`${replica.id}: ${text}`),
    );
  }

  startReplica(replica: SimReplica): void {
    if (replica.process?.alive === true || replica.disk.drive.full) return;
    const { process, random, nonce } = this.#life(replica.id);
    const { driftPerMille: _drift, ...timing } = this.options.timing;
    const members = this.replicas.map(({ id }) => ({ id: replicaId(id), grpc: `${id}:1`, http: http(id) }));
    const disks = new Map(this.replicas.map(({ id, disk }) => [http(id), disk]));
    const raftBus = this.network.connect(process, `replica-${replica.id}`);
    const bus = this.network.connect(process, `replica-${replica.id}`);
    const controlPlane = new ControlPlane(
      {
        ...controlPlaneDefaults,
        cluster: CLUSTER,
        replica: replicaId(replica.id),
        members,
        ...timing,
      },
      {
        clock: process.clock,
        random,
        raftBus,
        bus,
        store: this.#store(replica, process, random.fork('disk')),
        artifacts: new SimArtifactStore(replica.disk),
        peers: new SimArtifactPeers(disks, (address) => this.#reaches(replica.id, address)),
        logger: this.#logger(replica.id),
        nonce,
        onFatal: this.#fatal(replica.id, process),
      },
    );
    replica.process = process;
    replica.controlPlane = controlPlane;
    replica.bus = bus;
    const service = new ApiService(
      controlPlane,
      (member, method, request, timeoutMs) =>
        this.#forward(replica.id, process, member.id, method, request, timeoutMs),
      process.clock,
      { pid: nonce, version: 'sim', leaderWaitMs: 3_000, peerTimeoutMs: 500 },
    );
    // What is called while it is stopped waits in its socket.
    replica.service = {
      call: (method, request, forwarded) =>
        new Promise((resolve, reject) => {
          process.enter(() => void service.call(method, request, forwarded).then(resolve, reject));
        }),
    };
    controlPlane.start().then(
      () => {
        const { term } = controlPlane.raft();
        if (replica.disk.log.identity?.voter === true && term < replica.shownTerm)
          this.violation(
            `${replica.id} comes back in term ${term} after it spoke in term ${replica.shownTerm}`,
          );
        return undefined;
      },
      (error: unknown) => {
        if (isOfDisk(error)) this.#diskRefused(replica, process, error);
        else this.violation(`${replica.id} does not start: ${explain(error)}`);
      },
    );
  }

  /** A connection that does not go over the bus. */
  #connects(from: string, to: string): boolean {
    return !this.network.isCut(from, to) && !this.network.isCut(to, from) && this.reaches(from, to);
  }

  #reaches(from: string, address: string): boolean {
    const to = this.replicas.find(({ id }) => http(id) === address);
    return to?.process?.alive === true && this.#connects(from, to.id);
  }

  /** One hop between replicas, as gRPC would do it: lost when either end dies or the network is cut. */
  #forward(
    from: string,
    process: SimProcess,
    to: string,
    method: Parameters<ApiService['call']>[0],
    request: unknown,
    timeoutMs: number,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const target = this.replicas.find(({ id }) => id === to);
      const fail = (): void => reject(new BatonError('disconnected', 'the replica cannot be reached'));
      process.clock.after(timeoutMs, () => reject(new BatonError('timeout', 'no answer in time')));
      process.clock.after(0.5, () => {
        const other = target?.process;
        if (other?.alive !== true || target?.service === undefined || this.network.isCut(from, to))
          return fail();
        if (!this.reaches(from, to)) return fail();
        other.onExit(() => void process.clock.after(0.5, fail));
        target.service.call(method, request as never, true).then(
          (reply) => void process.clock.after(0.5, () => resolve(reply)),
          (error: Error) => void process.clock.after(0.5, () => reject(error)),
        );
      });
    });
  }

  startWorker(entry: SimWorker): void {
    if (entry.process?.alive === true) return;
    const { process, random, nonce } = this.#life(entry.id);
    const runtime = this.sandboxes.runtime(process, random, this.options.startMs, () => {
      const mayStart = entry.failingStarts === 0;
      if (!mayStart) entry.failingStarts--;
      return mayStart;
    });
    const worker = new Worker(
      {
        ...workerDefaults,
        cluster: CLUSTER,
        id: workerId(entry.id),
        capacity: { cpuMillis: 64_000, memoryMiB: 65_536, sandboxes: 256 },
      },
      {
        clock: process.clock,
        random,
        bus: this.network.connect(process, `worker-${entry.id}`),
        runtime,
        artifacts: {
          held: () => [],
          ensure: () => Promise.resolve(''),
          forget: () => Promise.resolve(),
        },
        state: {
          load: () => Promise.resolve(entry.state),
          save: (state) =>
            new Promise((resolve) => {
              process.clock.after(0.5 + random.float(), () => {
                this.#fences.see(entry.id, state.fence);
                entry.state = state;
                resolve();
              });
            }),
        },
        logger: this.#logger(entry.id),
        nonce,
        onFatal: this.#fatal(entry.id, process),
      },
    );
    entry.process = process;
    entry.worker = worker;
    entry.runtime = runtime;
    void worker.start();
  }

  #targetOf(from: string, address: string): SimTarget {
    const served = this.sandboxes.served.get(address);
    const peer = this.planes.find(({ id }) => address === `tcp:${id}:80`);
    const process = served?.process ?? peer?.process;
    if (process === undefined) return { kind: 'nobody' };
    if (!this.#connects(from, process.id)) return { kind: 'unreachable' };
    if (!process.alive) return { kind: 'nobody' };
    if (served !== undefined) return { kind: 'sandbox', served };
    return peer === undefined ? { kind: 'nobody' } : { kind: 'peer', front: peer.peerFront, process };
  }

  startPlane(entry: SimDataPlane): void {
    if (entry.process?.alive === true) return;
    const { process, random } = this.#life(entry.id);
    const enter = (run: () => void): void => process.enter(run);
    const [front, peerFront] = [new SimFront(enter), new SimFront(enter)];
    const plane = new DataPlane(
      {
        ...DATA_PLANE_DEFAULTS,
        cluster: CLUSTER,
        id: dataPlaneId(entry.id),
        caller: { host: entry.id, port: 80 },
        peer: { host: entry.id, port: 81 },
        peerToken: PEER_TOKEN,
      },
      {
        clock: process.clock,
        random,
        bus: this.network.connect(process, `data-plane-${entry.id}`),
        front,
        peerFront,
        upstream: new SimUpstream(
          process,
          random.fork('upstream'),
          (address) => this.#targetOf(entry.id, address),
          (address) => this.onRefused(entry.id, address),
        ),
        tableFile: {
          load: () => Promise.resolve(entry.tables),
          save: (pieces) => {
            entry.tables = Buffer.concat([...pieces]);
            return Promise.resolve();
          },
        },
        logger: this.#logger(entry.id),
      },
    );
    entry.process = process;
    entry.plane = plane;
    entry.front = front;
    entry.peerFront = peerFront;
    void plane.start();
  }

  /** Who leads, by its own word, if anybody does. */
  leader(): SimReplica | undefined {
    return this.replicas.find(
      ({ process, controlPlane }) =>
        process?.alive === true &&
        !process.paused &&
        controlPlane?.isReady() === true &&
        controlPlane.leader().kind === 'self',
    );
  }

  alive<T extends { readonly process: SimProcess | undefined }>(list: readonly T[]): T[] {
    return list.filter(({ process }) => process?.alive === true);
  }
}
