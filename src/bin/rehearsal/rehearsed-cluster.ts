/**
 * A whole cluster in this process, on a bus in memory and in virtual time: three replicas, two workers whose sandboxes take no time, one
 * data plane. The roles are the production ones, and what they say to each other is encoded and decoded: what it is for is that
 * this process has run their code before it matters.
 */
import { MemoryBroker } from '../../adapters/memory-bus/broker.ts';
import { SimulatedRuntime } from '../../adapters/runtimes/simulated/simulated.ts';
import { parseFunctionDocument } from '../../api/spec.ts';
import { controlPlaneDefaults } from '../../control-plane/config.ts';
import { ControlPlane } from '../../control-plane/control-plane.ts';
import { DATA_PLANE_DEFAULTS } from '../../data-plane/config.ts';
import { DataPlane } from '../../data-plane/data-plane.ts';
import { BatonError } from '../../lib/errors.ts';
import type { EventQueue } from '../../lib/event-queue.ts';
import { clusterId, dataPlaneId, replicaId, workerId, type ReplicaId } from '../../lib/ids.ts';
import { prng } from '../../lib/prng.ts';
import type { ArtifactPeers } from '../../ports/artifact-peers.ts';
import type { ArtifactStore } from '../../ports/artifact-store.ts';
import type { Bus } from '../../ports/bus.ts';
import type { Logger } from '../../ports/system.ts';
import type { UnpackedArtifacts } from '../../ports/unpacked-artifacts.ts';
import { workerDefaults } from '../../worker/config.ts';
import { Worker } from '../../worker/worker.ts';
import { memoryStore, rehearsedDisk, type RehearsedDisk } from './memory-store.ts';
import { rehearsedUpstream, RehearsedFront } from './rehearsed-http.ts';
import { VirtualLife } from './virtual-life.ts';

const CLUSTER = clusterId('rehearsal');
const REPLICAS = ['r1', 'r2', 'r3'].map((id) => replicaId(id));
const WORKERS = ['w1', 'w2'].map((id) => workerId(id));
const ARTIFACT = '0'.repeat(64);
const CAPACITY = { cpuMillis: 1_000_000, memoryMiB: 1_000_000, sandboxes: 1_000 };

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};

const noBytes = async function* (): AsyncGenerator<Uint8Array> {};

/** Everybody has every artifact. */
const artifacts: ArtifactStore & UnpackedArtifacts & ArtifactPeers = {
  put: () => Promise.reject(new BatonError('unavailable', 'nothing is uploaded in a rehearsal')),
  has: () => true,
  read: noBytes,
  list: () => [],
  remove: () => Promise.resolve(),
  fetch: noBytes,
  askToHold: () => Promise.resolve(),
  askToReplicate: () => Promise.resolve(),
  held: () => [],
  ensure: () => Promise.resolve(''),
  forget: () => Promise.resolve(),
};

interface Replica {
  readonly id: ReplicaId;
  readonly disk: RehearsedDisk;
  life: VirtualLife;
  buses: readonly Bus[];
  controlPlane: ControlPlane;
}

export class RehearsedCluster {
  readonly #queue: EventQueue;
  readonly #broker: MemoryBroker;
  readonly #random = prng('rehearsal');
  readonly #onFatal: (error: Error) => void;
  readonly #front = new RehearsedFront();
  readonly #replicas: Replica[];
  #lives = 0;
  #down: Replica | undefined;

  /** @param onFatal a role cannot go on */
  constructor(queue: EventQueue, onFatal: (error: Error) => void) {
    this.#queue = queue;
    this.#onFatal = onFatal;
    this.#broker = new MemoryBroker(new VirtualLife(queue).clock, silent);
    this.#replicas = REPLICAS.map((id) => {
      const identity = {
        cluster: CLUSTER,
        replica: id,
        epoch: 1,
        incarnationMs: 0,
        voter: true,
        votesAboveTerm: 0,
      };
      const disk = rehearsedDisk(identity);
      return { id, disk, ...this.#begin(id, disk) };
    });
    for (const id of WORKERS) this.#startWorker(id);
    this.#startDataPlane();
  }

  #begin(id: ReplicaId, disk: RehearsedDisk): Pick<Replica, 'life' | 'buses' | 'controlPlane'> {
    const life = new VirtualLife(this.#queue);
    const buses = [this.#broker.connect(`replica-${id}`), this.#broker.connect(`replica-${id}`)] as const;
    const [raftBus, bus] = buses;
    const members = REPLICAS.map((member) => ({ id: member, grpc: `${member}:1`, http: `http://${member}` }));
    const controlPlane = new ControlPlane(
      { ...controlPlaneDefaults, cluster: CLUSTER, replica: id, members },
      {
        clock: life.clock,
        random: this.#random.fork(`${id} ${++this.#lives}`),
        raftBus,
        bus,
        store: memoryStore(disk),
        artifacts,
        peers: artifacts,
        logger: silent,
        nonce: this.#lives,
        onFatal: this.#onFatal,
      },
    );
    controlPlane.start().catch(this.#onFatal);
    return { life, buses, controlPlane };
  }

  #startWorker(id: ReturnType<typeof workerId>): void {
    const { clock } = new VirtualLife(this.#queue);
    const random = this.#random.fork(id);
    const worker = new Worker(
      { ...workerDefaults, cluster: CLUSTER, id, capacity: CAPACITY },
      {
        clock,
        random,
        bus: this.#broker.connect(`worker-${id}`),
        runtime: new SimulatedRuntime({ startMs: 0, drainMs: 1, clock, random, server: undefined }),
        artifacts,
        state: { load: () => Promise.resolve(undefined), save: () => Promise.resolve() },
        logger: silent,
        nonce: 1,
        onFatal: this.#onFatal,
      },
    );
    worker.start().catch(this.#onFatal);
  }

  #startDataPlane(): void {
    const { clock } = new VirtualLife(this.#queue);
    const address = { host: 'rehearsal', port: 80 };
    const dataPlane = new DataPlane(
      {
        ...DATA_PLANE_DEFAULTS,
        cluster: CLUSTER,
        id: dataPlaneId('dp1'),
        caller: address,
        peer: address,
        peerToken: 'rehearsal',
      },
      {
        clock,
        random: this.#random.fork('dp1'),
        bus: this.#broker.connect('data-plane-dp1'),
        front: this.#front,
        peerFront: new RehearsedFront(),
        upstream: rehearsedUpstream(clock),
        tableFile: { load: () => Promise.resolve(undefined), save: () => Promise.resolve() },
        logger: silent,
      },
    );
    dataPlane.start().catch(this.#onFatal);
  }

  #leading(): ControlPlane | undefined {
    return this.#replicas.find((one) => one !== this.#down && one.controlPlane.isReady() && isLeading(one))
      ?.controlPlane;
  }

  get hasLeader(): boolean {
    return this.#leading() !== undefined;
  }

  /** Functions that go to zero as soon as they may. Resolves when all are there. */
  async register(names: readonly string[]): Promise<void> {
    const leader = this.#leading();
    if (leader === undefined) throw new BatonError('not-leader', 'nobody leads the rehearsal');
    const put = (name: string, i: number): Promise<unknown> => {
      const document = {
        name,
        artifact: ARTIFACT,
        entry: 'index.mjs',
        stableWindowMs: 1_000,
        scaleToZeroGraceMs: 0,
      };
      const requestId = { base: leader.appliedIndex(), nonce: `rehearsal-${i}` };
      const spec = parseFunctionDocument(document);
      return leader.put({ spec, requestId, ifGeneration: undefined, trial: false });
    };
    await Promise.all(names.map(put));
  }

  /** One request; `onAnswer` is called once. */
  call(name: string, onAnswer: (status: number) => void): void {
    this.#front.receive(`/function/${name}`, onAnswer);
  }

  /** kill -9 of whoever leads. */
  killLeader(): void {
    const victim = this.#replicas.find((one) => one.controlPlane === this.#leading());
    if (victim === undefined) return;
    victim.life.end();
    for (const bus of victim.buses) void bus.close();
    this.#down = victim;
  }

  restartKilled(): void {
    if (this.#down !== undefined) Object.assign(this.#down, this.#begin(this.#down.id, this.#down.disk));
    this.#down = undefined;
  }
}

function isLeading({ controlPlane }: Replica): boolean {
  return controlPlane.leader().kind === 'self';
}
