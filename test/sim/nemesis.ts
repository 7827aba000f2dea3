/** Faults, drawn from the seed; each ends by itself, so that no run drowns. */
import type { Prng } from '../../src/lib/prng.ts';
import type { FaultKind } from './options.ts';
import type { World } from './world.ts';

export class Nemesis {
  readonly #world: World;
  readonly #random: Prng;
  leaderCrashes = 0;
  injected = 0;
  #lostDisk = false;
  running = true;

  constructor(world: World) {
    this.#world = world;
    this.#random = world.random.fork('nemesis');
  }

  start(): void {
    const { scheduler, options } = this.#world;
    const next = (): void => {
      scheduler.after(options.faultsEveryMs * (0.5 + this.#random.float()), () => {
        if (!this.running) return;
        const kind = options.faults[this.#random.below(options.faults.length)];
        if (kind !== undefined) this.inject(kind);
        next();
      });
    };
    next();
  }

  inject(kind: FaultKind): void {
    this.injected++;
    switch (kind) {
      case 'crash-leader':
        return this.#crashReplica(this.#world.leader());
      case 'crash-replica':
        return this.#crashReplica(this.#pick(this.#world.alive(this.#world.replicas)));
      case 'crash-worker': {
        const worker = this.#pick(this.#world.alive(this.#world.workers));
        return this.#crash(worker, () => worker !== undefined && this.#world.startWorker(worker));
      }
      case 'crash-data-plane': {
        const plane = this.#pick(this.#world.alive(this.#world.planes));
        return this.#crash(plane, () => plane !== undefined && this.#world.startPlane(plane));
      }
      case 'partition':
        return this.#cut(true);
      case 'one-way-cut':
        return this.#cut(false);
      case 'loss':
        return this.#weather('lossPct', 2 + this.#random.below(15), 0);
      case 'slow-network':
        return this.#weather('slowness', 3 + this.#random.below(20), 1);
      case 'leader-disconnect': {
        const leader = this.#world.leader();
        if (leader?.process === undefined) return;
        this.#world.tell(`${leader.id} (leader) loses its bus`);
        return this.#world.network.disconnect(leader.process, 100 + this.#random.below(1_500));
      }
      case 'lost-disk':
        return this.#loseDisk();
      default:
        return kind satisfies never;
    }
  }

  #pick<T>(list: readonly T[]): T | undefined {
    return list[this.#random.below(Math.max(1, list.length))];
  }

  #crash(
    victim: { readonly id: string; process: { kill(): void } | undefined } | undefined,
    restart: () => unknown,
  ): void {
    if (victim?.process === undefined) return;
    this.#world.tell(`kill ${victim.id}`);
    victim.process.kill();
    this.#world.scheduler.after(100 + this.#random.below(2_000), () => {
      this.#world.tell(`start ${victim.id}`);
      restart();
    });
  }

  #crashReplica(replica: World['replicas'][number] | undefined): void {
    if (replica === undefined) return;
    if (this.#world.leader() === replica) this.leaderCrashes++;
    this.#crash(replica, () => this.#world.startReplica(replica));
  }

  #cut(bothWays: boolean): void {
    const { network, scheduler } = this.#world;
    const victim = this.#pick(this.#world.replicas);
    if (victim === undefined) return;
    const others = this.#world.replicas.filter((other) => other !== victim && this.#random.below(3) > 0);
    this.#world.tell(`cut ${victim.id} ${bothWays ? '<>' : '->'} ${others.map(({ id }) => id).join(' ')}`);
    for (const other of others) {
      network.cut(victim.id, other.id);
      if (bothWays) network.cut(other.id, victim.id);
    }
    scheduler.after(300 + this.#random.below(2_000), () => network.heal());
  }

  #weather(what: 'lossPct' | 'slowness', value: number, normal: number): void {
    const { network, scheduler } = this.#world;
    this.#world.tell(`${what} ${value}`);
    network.faults[what] = value;
    scheduler.after(300 + this.#random.below(1_500), () => {
      network.faults[what] = normal;
    });
  }

  /** Once in a run: with two lost disks of three there is no quorum, by design. */
  #loseDisk(): void {
    if (this.#lostDisk || this.#world.alive(this.#world.replicas).length < this.#world.replicas.length)
      return;
    const replica = this.#pick(this.#world.replicas);
    if (replica === undefined) return;
    this.#lostDisk = true;
    this.#world.tell(`${replica.id} loses its disk`);
    this.#crashReplica(replica);
    replica.disk.wipe();
    replica.shownTerm = 0;
  }
}
