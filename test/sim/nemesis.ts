/** Carries the schedule of faults out; each ends by itself, so that no run drowns, and never takes more than a minority's disks. */
import { explain } from '../../src/lib/errors.ts';
import { prng, type Prng } from '../../src/lib/prng.ts';
import type { Fault, FaultKind } from './options.ts';
import type { SimProcess } from './process.ts';
import type { World } from './world.ts';

type Replica = World['replicas'][number];

export class Nemesis {
  readonly #world: World;
  readonly faultsByKind: Map<FaultKind, number> = new Map();
  leaderCrashes = 0;
  running = true;
  #random: Prng = prng(0);

  constructor(world: World) {
    this.#world = world;
  }

  get injected(): number {
    let sum = 0;
    for (const count of this.faultsByKind.values()) sum += count;
    return sum;
  }

  start(schedule: readonly Fault[]): void {
    for (const fault of schedule) {
      this.#world.scheduler.after(fault.atMs, () => {
        if (this.running) this.inject(fault);
      });
    }
  }

  inject({ kind, salt }: Pick<Fault, 'kind' | 'salt'>): void {
    this.#random = prng(salt);
    if (this.#strike(kind)) this.faultsByKind.set(kind, (this.faultsByKind.get(kind) ?? 0) + 1);
  }

  /** False: there was nothing to strike. */
  #strike(kind: FaultKind): boolean {
    const { replicas, workers, planes } = this.#world;
    switch (kind) {
      case 'crash-leader':
        return this.#crashReplica(this.#world.leader());
      case 'crash-replica':
        return this.#crashReplica(this.#pick(this.#world.alive(replicas)));
      case 'stop-replica':
        return this.#stopReplica(this.#pick(this.#world.alive(replicas)));
      case 'transfer':
        return this.#transfer();
      case 'crash-worker': {
        const worker = this.#pick(this.#world.alive(workers));
        return this.#crash(worker, () => worker !== undefined && this.#world.startWorker(worker));
      }
      case 'crash-data-plane': {
        const plane = this.#pick(this.#world.alive(planes));
        return this.#crash(plane, () => plane !== undefined && this.#world.startPlane(plane));
      }
      case 'partition':
        return this.#cut(this.#pick(replicas), replicas, ['to', 'from']);
      case 'one-way-cut':
        return this.#cut(this.#pick(replicas), replicas, this.#direction());
      case 'cut-worker':
        return this.#cut(this.#pick(workers), [...replicas, ...planes], this.#direction());
      case 'cut-data-plane':
        return this.#cut(this.#pick(planes), [...replicas, ...workers], this.#direction());
      case 'loss':
        return this.#weather('lossPct', 2 + this.#random.below(15), 0);
      case 'duplication':
        return this.#weather('duplicatePct', 5 + this.#random.below(40), 0);
      case 'slow-network':
        return this.#weather('slowness', 3 + this.#random.below(20), 1);
      case 'leader-disconnect':
        return this.#disconnect(this.#world.leader());
      case 'replica-disconnect':
        return this.#disconnect(this.#pick(this.#world.alive(replicas)));
      case 'worker-disconnect':
        return this.#disconnect(this.#pick(this.#world.alive(workers)));
      case 'data-plane-disconnect':
        return this.#disconnect(this.#pick(this.#world.alive(planes)));
      case 'slow-disk': {
        const replica = this.#pick(replicas);
        if (replica === undefined) return false;
        this.#world.tell(`${replica.id}: slow disk`);
        replica.disk.drive.slowness = 5 + this.#random.below(40);
        this.#later(500 + this.#random.below(2_000), () => (replica.disk.drive.slowness = 1));
        return true;
      }
      case 'full-disk':
        return this.#fillDisk();
      case 'failing-sync':
        return this.#failSync();
      case 'damaged-disk':
        return this.#loseDisk('damaged');
      case 'lost-disk':
        return this.#loseDisk('lost');
      case 'crash-on-sync':
        return this.#crashOnSync();
      case 'pause-leader':
        return this.#pause(this.#world.leader());
      case 'pause-replica':
        return this.#pause(this.#pick(this.#world.alive(replicas)));
      case 'pause-worker':
        return this.#pause(this.#pick(this.#world.alive(workers)));
      case 'pause-data-plane':
        return this.#pause(this.#pick(this.#world.alive(planes)));
      case 'slow-link':
        return this.#slowLink();
      case 'clock-jump':
        return this.#jumpClock();
      default:
        return kind satisfies never;
    }
  }

  #later(afterMs: number, run: () => void): void {
    this.#world.scheduler.after(afterMs, run);
  }

  #pick<T>(list: readonly T[]): T | undefined {
    return list[this.#random.below(Math.max(1, list.length))];
  }

  #crash(
    victim: { readonly id: string; process: { kill(): void } | undefined } | undefined,
    restart: () => unknown,
  ): boolean {
    if (victim?.process === undefined) return false;
    this.#world.tell(`kill ${victim.id}`);
    victim.process.kill();
    this.#later(100 + this.#random.below(2_000), () => {
      if (this.#world.isHeldDown(victim.id)) return;
      this.#world.tell(`start ${victim.id}`);
      restart();
    });
    return true;
  }

  #crashReplica(replica: Replica | undefined): boolean {
    if (replica === undefined) return false;
    if (this.#world.leader() === replica) this.leaderCrashes++;
    return this.#crash(replica, () => this.#world.startReplica(replica));
  }

  /** In good order: it hands leadership over, if it leads, and closes its disk. */
  #stopReplica(replica: Replica | undefined): boolean {
    const { process, controlPlane } = replica ?? {};
    if (replica === undefined || process === undefined || controlPlane?.isReady() !== true) return false;
    this.#world.tell(`end ${replica.id} in good order`);
    void controlPlane.stop().then(() => process.kill());
    this.#later(2_300 + this.#random.below(200), () => {
      // Somebody else may have killed and started it meanwhile.
      if (replica.process !== process || this.#world.isHeldDown(replica.id)) return;
      process.kill();
      this.#world.tell(`start ${replica.id}`);
      this.#world.startReplica(replica);
    });
    return true;
  }

  #transfer(): boolean {
    const leader = this.#world.leader()?.controlPlane;
    if (leader === undefined) return false;
    this.#world.tell('leadership is handed over');
    leader.transferLeadership('').then(
      (to) => this.#world.tell(`${to.leader} took it over`),
      (error: unknown) => this.#world.tell(`it was not handed over: ${explain(error)}`),
    );
    return true;
  }

  /** The leader, or somebody else, loses power just before or just after its next sync. */
  #crashOnSync(): boolean {
    const { replicas } = this.#world;
    const leader = this.#random.below(2) === 0 ? this.#world.leader() : undefined;
    const replica = leader ?? this.#pick(this.#world.alive(replicas));
    if (replica === undefined) return false;
    const moment = this.#random.below(2) === 0 ? 'before' : 'after';
    const salt = this.#random.uint32();
    const { drive } = replica.disk;
    drive.onSync = (when) => {
      if (when !== moment) return;
      drive.onSync = undefined;
      this.#random = prng(salt);
      if (this.running) this.#crashReplica(replica);
    };
    return true;
  }

  /** SIGSTOP, and SIGCONT when others may have taken its place. */
  #pause(victim: { readonly id: string; process: SimProcess | undefined } | undefined): boolean {
    const process = victim?.process;
    if (victim === undefined || process === undefined || process.paused) return false;
    const forMs = 100 + this.#random.below(2_400);
    this.#world.tell(`stop ${victim.id}`);
    this.#world.keepApart(victim.id, forMs);
    process.pause();
    this.#later(forMs, () => {
      if (process.alive) this.#world.tell(`wake ${victim.id}`);
      process.resume();
    });
    return true;
  }

  #slowLink(): boolean {
    const { network, replicas } = this.#world;
    const from = this.#pick(replicas);
    const to = this.#pick(replicas.filter((other) => other !== from));
    if (from === undefined || to === undefined) return false;
    const times = 20 + this.#random.below(300);
    this.#world.tell(`${from.id} -> ${to.id} is ${times} times slower`);
    network.slowDown(from.id, to.id, times);
    this.#later(300 + this.#random.below(2_000), () => network.slowDown(from.id, to.id, 1));
    return true;
  }

  /** Somebody sets a machine's clock, by up to an hour either way. */
  #jumpClock(): boolean {
    const id = this.#pick([...this.#world.skews.keys()]);
    const skew = id === undefined ? undefined : this.#world.skews.get(id);
    if (skew === undefined) return false;
    skew.wallMs += this.#random.below(7_200_000) - 3_600_000;
    this.#world.tell(`the wall clock of ${id} is off by ${Math.round(skew.wallMs / 1_000)} s`);
    return true;
  }

  /** Shorter than anybody's patience, or longer than the leader waits for those who say nothing. */
  #whileMs(): number {
    return this.#random.below(2) === 0 ? 300 + this.#random.below(2_000) : 2_000 + this.#random.below(6_000);
  }

  #disconnect(victim: { readonly id: string; process: SimProcess | undefined } | undefined): boolean {
    if (victim?.process === undefined) return false;
    const forMs = this.#world.replicas.some(({ id }) => id === victim.id)
      ? 100 + this.#random.below(1_500)
      : this.#whileMs();
    this.#world.tell(`${victim.id} loses its bus`);
    this.#world.keepApart(victim.id, forMs);
    this.#world.network.disconnect(victim.process, forMs);
    return true;
  }

  /** Which way nothing goes any more, seen from the victim. */
  #direction(): readonly ('to' | 'from')[] {
    const directions = [['to', 'from'], ['to'], ['from']] as const;
    return this.#pick(directions) ?? directions[0];
  }

  #cut(
    victim: { readonly id: string } | undefined,
    whom: readonly { readonly id: string }[],
    directions: readonly ('to' | 'from')[],
  ): boolean {
    const { network, replicas } = this.#world;
    if (victim === undefined) return false;
    const others = whom.filter((other) => other !== victim && this.#random.below(3) > 0);
    if (others.length === 0) return false;
    const forMs = replicas.some(({ id }) => id === victim.id)
      ? 300 + this.#random.below(2_000)
      : this.#whileMs();
    const arrow = { to: '->', from: '<-', both: '<>' }[
      directions.length > 1 ? 'both' : (directions[0] ?? 'to')
    ];
    this.#world.tell(`cut ${victim.id} ${arrow} ${others.map(({ id }) => id).join(' ')}`);
    const pairs = others.flatMap(({ id }) =>
      directions.map((direction) =>
        direction === 'to' ? ([victim.id, id] as const) : ([id, victim.id] as const),
      ),
    );
    for (const [from, to] of pairs) network.cut(from, to);
    for (const { id } of [victim, ...others]) this.#world.keepApart(id, forMs);
    this.#later(forMs, () => {
      for (const [from, to] of pairs) network.join(from, to);
    });
    return true;
  }

  #weather(what: 'lossPct' | 'duplicatePct' | 'slowness', value: number, normal: number): boolean {
    const { network } = this.#world;
    this.#world.tell(`${what} ${value}`);
    network.faults[what] = value;
    this.#later(300 + this.#random.below(1_500), () => (network.faults[what] = normal));
    return true;
  }

  /** The next write fails, and with it the replica; it comes back when there is room. */
  #fillDisk(): boolean {
    const replica = this.#pick(this.#world.alive(this.#world.replicas));
    if (replica === undefined) return false;
    this.#world.tell(`${replica.id}: disk full`);
    replica.disk.drive.full = true;
    this.#later(500 + this.#random.below(1_500), () => {
      replica.disk.drive.full = false;
      if (!this.#world.isHeldDown(replica.id)) this.#world.startReplica(replica);
    });
    return true;
  }

  /** A write that the disk could not take: the replica must end, and count on nothing of it when it is back. */
  #failSync(): boolean {
    const replica = this.#pick(this.#world.alive(this.#world.replicas));
    if (replica === undefined) return false;
    this.#world.tell(`${replica.id}: its next sync fails`);
    replica.disk.drive.failsNextSync = true;
    return true;
  }

  /** With more than a minority without a vote there is no quorum, by design: one at a time. */
  #loseDisk(how: 'lost' | 'damaged'): boolean {
    const { replicas } = this.#world;
    const all = replicas.every(
      ({ process, controlPlane }) =>
        process?.alive === true && controlPlane?.isReady() === true && controlPlane.raft().voter,
    );
    const replica = this.#pick(replicas);
    if (!all || replica === undefined) return false;
    this.#crashReplica(replica);
    if (how === 'lost') replica.disk.wipe();
    const what = how === 'lost' ? 'everything' : replica.disk.rot(this.#random);
    this.#world.tell(`${replica.id}: disk ${how}: ${what}`);
    return true;
  }
}
