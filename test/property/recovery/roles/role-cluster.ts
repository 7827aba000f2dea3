/**
 * The production roles (ControlPlane, Worker, DataPlane) in the simulator's world, as the stage of a history: with promises, bytes, disks
 * and a bus of subjects.
 */
import type { Cordon } from '../../../../src/core/model/command.ts';
import type { FunctionRecord } from '../../../../src/core/model/function.ts';
import { digest, type DataPlaneId, type ReplicaId, type WorkerId } from '../../../../src/lib/ids.ts';
import { prng } from '../../../../src/lib/prng.ts';
import { controlPlaneDefaults } from '../../../../src/control-plane/config.ts';
import { drawOptions, type SimOptions } from '../../../sim/options.ts';
import { Oracles } from '../../../sim/oracles.ts';
import { World, type SimDataPlane, type SimReplica, type SimWorker } from '../../../sim/world.ts';
import { Network } from '../network.ts';
import type { Picture } from '../picture.ts';
import type { SpecKnobs } from '../registry.ts';
import type { Request } from '../request.ts';
import { membersOf, REPLICAS, serverOf, type ClusterSize, type Departure, type Stage } from '../stage.ts';
import { ApiRegistrar } from './api-registrar.ts';
import { Callers } from './callers.ts';
import { Committed } from './committed.ts';
import { Drops } from './drops.ts';
import { pictureOf } from './role-picture.ts';
import { streamOf } from './streams.ts';
import { Witness } from './witness.ts';

/** A leader is there by then, when a majority is. */
const ELECTED_MS = 10_000;
const HANDED_OVER_MS = 1_000;
const CUT_OFF_MS = 1_000;
const SAMPLE_MS = 100;
const START_MS = 30;

function optionsOf(random: number, { workers, dataPlanes }: ClusterSize): SimOptions {
  const { electionTimeoutMs, heartbeatMs, tickMs, probeMs, advisories, snapshotEvery } = controlPlaneDefaults;
  return {
    ...drawOptions(random),
    replicas: REPLICAS,
    workers,
    dataPlanes,
    functions: 0,
    registrars: 0,
    startMs: START_MS,
    schedule: [],
    timing: {
      electionTimeoutMs,
      heartbeatMs,
      tickMs,
      probeMs,
      advisories,
      snapshotEvery,
      driftPerMille: 2,
    },
    lyingDisks: false,
  };
}

export class RoleCluster implements Stage<Promise<void>> {
  readonly world: World;
  readonly oracles: Oracles;
  readonly network: Network;
  readonly committed: Committed;
  readonly registrar: ApiRegistrar;
  readonly callers: Callers;
  readonly witness: Witness;
  readonly replicaIds: readonly ReplicaId[];
  readonly workerIds: readonly WorkerId[];
  readonly dataPlaneIds: readonly DataPlaneId[];

  private constructor(random: number, size: ClusterSize) {
    this.world = new World(optionsOf(random, size), 'd');
    this.world.sandboxes.answers.leastMs = 5;
    this.world.sandboxes.answers.spreadMs = 150;
    this.oracles = new Oracles(this.world);
    this.network = new Network(this.world.scheduler, prng(random).fork('network'));
    this.committed = new Committed(this.world);
    this.witness = new Witness(this.world, this.committed);
    this.registrar = new ApiRegistrar(this.world, this.committed);
    this.callers = new Callers(this.world, this.witness, this.committed, this.registrar.mutations);
    ({
      replicaIds: this.replicaIds,
      workerIds: this.workerIds,
      dataPlaneIds: this.dataPlaneIds,
    } = membersOf(size));
    this.world.network.fateOf = (from, to, subject) =>
      this.network.fate(from, to, streamOf(from, to, subject));
    this.world.network.serverOf = (id) => serverOf(size, id);
    this.world.reaches = (from, to) => this.network.reaches(from, to);
  }

  /** With a leader. */
  static async start(random: number, size: ClusterSize): Promise<RoleCluster> {
    const cluster = new RoleCluster(random, size);
    const { world } = cluster;
    await world.bootstrap();
    const artifact = { digest: digest('a'.repeat(64)), bytes: 1 };
    for (const { disk } of world.replicas) disk.artifacts.set(artifact.digest, artifact);
    cluster.#startAll();
    const drops = new Drops(world, cluster.witness);
    const sample = (): void => {
      cluster.oracles.sample();
      drops.sample();
      world.scheduler.after(SAMPLE_MS, sample);
    };
    sample();
    await cluster.#until(ELECTED_MS, () => cluster.leader !== undefined);
    return cluster;
  }

  get nowMs(): number {
    return this.world.nowMs;
  }

  get failovers(): number {
    return Math.max(0, this.witness.leaders - 1);
  }

  get startedCount(): number {
    return this.world.sandboxes.started.size;
  }

  async run(ms: number): Promise<void> {
    await this.#until(ms, () => false);
  }

  /** False: not in time. @throws Error with the promise that was broken meanwhile */
  async #until(ms: number, isSo: () => boolean): Promise<boolean> {
    const { scheduler, violations } = this.world;
    await scheduler.runUntil(this.nowMs + ms, () => violations.length > 0 || isSo());
    const [broken] = violations;
    if (broken !== undefined) throw new Error(`at ${broken.replace(':', ' s:')}`);
    return isSo();
  }

  endFaults(): void {
    this.network.healAll();
    this.world.network.setAway(false);
    for (const worker of this.world.workers) worker.failingStarts = 0;
    this.wakeZombies();
    this.#startAll();
  }

  #startAll(): void {
    for (const id of this.replicaIds) this.startReplica(id);
    for (const id of this.workerIds) this.startWorker(id);
    for (const id of this.dataPlaneIds) this.startDataPlane(id);
  }

  functions(): readonly FunctionRecord[] {
    this.committed.catchUp();
    return this.committed.registry.list();
  }

  picture(): Picture {
    return pictureOf(this);
  }

  // ---- leaders ------------------------------------------------------------------------------------------------------

  /** Of those who take themselves for it, whoever was elected last. */
  get leader(): SimReplica | undefined {
    let last: SimReplica | undefined;
    for (const replica of this.world.alive(this.world.replicas)) {
      const { process, controlPlane } = replica;
      if (process?.paused === true || controlPlane?.isReady() !== true) continue;
      if (controlPlane.leader().kind === 'self' && termOf(replica) > termOf(last)) last = replica;
    }
    return last;
  }

  async failOver(how: Departure, leaderlessMs: number): Promise<void> {
    const old = this.leader;
    const before = Math.max(termOf(old), this.witness.fence.term);
    for (const id of this.replicaIds) {
      this.startReplica(id);
      this.network.heal(id);
      for (const other of this.replicaIds) this.network.join(id, other);
    }
    if (old !== undefined) this.#depart(old, how);
    if (leaderlessMs > 0 && how !== 'handed over') {
      this.network.silenceRaft(leaderlessMs);
      await this.run(leaderlessMs);
    }
    const isThere = (): boolean => termOf(this.leader) > before;
    // A transfer gives up when its messages are lost; whoever stops a replica stops it all the same.
    if (how === 'handed over' && !(await this.#until(HANDED_OVER_MS, isThere))) old?.process?.kill();
    await this.#until(ELECTED_MS, isThere);
    if (old !== undefined) this.world.startReplica(old);
  }

  #depart(old: SimReplica, how: Departure): void {
    this.world.tell(`${old.id}, the leader, is ${how}`);
    if (how === 'dead') return old.process?.kill();
    if (how === 'frozen') return old.process?.pause();
    if (how === 'handed over') return void old.controlPlane?.transferLeadership('').catch(() => undefined);
    const others = this.replicaIds.filter((id) => id !== old.id);
    for (const other of others) {
      this.network.part(old.id, other);
      this.network.part(other, old.id);
    }
    this.world.scheduler.after(CUT_OFF_MS, () => {
      for (const other of others) this.network.join(old.id, other);
    });
  }

  #replica(id: ReplicaId): SimReplica {
    return found(this.world.replicas, id);
  }

  startReplica(id: ReplicaId): void {
    const replica = this.#replica(id);
    replica.process?.resume();
    this.world.startReplica(replica);
  }

  killReplica(id: ReplicaId, how: 'dead' | 'frozen'): void {
    const { process } = this.#replica(id);
    this.world.tell(`${id} is ${how}`);
    if (how === 'dead') process?.kill();
    else process?.pause();
  }

  restartControlPlane(afterMs: number): void {
    for (const id of this.replicaIds) this.killReplica(id, 'dead');
    this.world.scheduler.after(afterMs, () => {
      for (const id of this.replicaIds) this.startReplica(id);
    });
  }

  wakeZombies(): void {
    for (const { process } of this.world.replicas) process?.resume();
  }

  leaderLosesBus(ms: number): void {
    const { leader } = this;
    if (leader?.process !== undefined) this.world.network.disconnect(leader.process, ms, leader.bus);
  }

  blackOut(ms: number): void {
    this.network.busAway();
    this.world.network.setAway(true);
    this.world.scheduler.after(ms, () => {
      if (this.network.busBack()) this.world.network.setAway(false);
    });
  }

  // ---- members ------------------------------------------------------------------------------------------------------

  #worker(id: WorkerId): SimWorker {
    return found(this.world.workers, id);
  }

  #dataPlane(id: DataPlaneId): SimDataPlane {
    return found(this.world.planes, id);
  }

  startWorker(id: WorkerId): void {
    this.world.startWorker(this.#worker(id));
  }

  killWorker(id: WorkerId): void {
    this.world.tell(`kill ${id}`);
    this.#worker(id).process?.kill();
  }

  startDataPlane(id: DataPlaneId): void {
    const plane = this.#dataPlane(id);
    if (plane.process?.alive === true) return;
    this.witness.onStarted(id);
    this.world.startPlane(plane);
  }

  killDataPlane(id: DataPlaneId): void {
    this.world.tell(`kill ${id}`);
    this.#dataPlane(id).process?.kill();
  }

  crashSandbox(which: number): void {
    const all = this.world
      .alive(this.world.workers)
      .flatMap(({ worker, runtime }) =>
        (worker?.sandboxes ?? [])
          .filter(({ state }) => state === 'ready' || state === 'draining')
          .map(({ id }) => ({ runtime, id })),
      );
    const struck = all[which % all.length];
    struck?.runtime?.crash(struck.id, 'exited with code 1');
  }

  failStarts(id: WorkerId, times: number): void {
    const worker = this.#worker(id);
    if (worker.process?.alive === true) worker.failingStarts = times;
  }

  // ---- what users do ------------------------------------------------------------------------------------------------

  register(
    name: string,
    knobs: SpecKnobs,
    how: { readonly trial: boolean; readonly insists: boolean },
  ): void {
    this.registrar.put(this.committed.registry.spec(name, knobs), how);
  }

  unregister(name: string, insists: boolean): void {
    this.registrar.delete(name, insists);
  }

  cordon(worker: WorkerId, cordon: Cordon): void {
    if (worker !== this.workerIds[0]) this.registrar.cordon(worker, cordon);
  }

  call(name: string, dataPlane: DataPlaneId): Request | undefined {
    return this.callers.call(name, this.#dataPlane(dataPlane));
  }
}

const termOf = (replica: SimReplica | undefined): number => replica?.controlPlane?.raft().term ?? 0;

function found<T extends { readonly id: string }>(list: readonly T[], id: string): T {
  const one = list.find((member) => member.id === id);
  if (one === undefined) throw new Error(`there is no ${id}`);
  return one;
}
