/**
 * Replicas that run the production core, each with its own clock and disk, and a network that holds every message until a
 * script delivers it. Everything that happens is said, in the order in which it happens.
 */
import { Raft } from '../../../src/core/raft/raft.ts';
import type { LogEntry, RaftMessage, Ready } from '../../../src/core/raft/types.ts';
import { replicaId, type ReplicaId } from '../../../src/lib/ids.ts';
import type { Prng } from '../../../src/lib/prng.ts';
import { Disk, type Stored } from './disk.ts';
import { Network } from './network.ts';
import { Promises } from './promises.ts';
import { entriesWords, messageWords, persistWords, roleWords, snapshotWords, statusWords } from './words.ts';

const TICK_MS = 5;

export class Replica {
  readonly id: ReplicaId;
  readonly members: readonly ReplicaId[];
  readonly disk: Disk = new Disk();
  raft: Raft | undefined;
  clockMs = 0;
  life = 0;
  /** What its generator draws, in [0, 1): 0 makes every timer as short as it can be. */
  luck = 0;
  /** Its writes wait for `sync`. */
  slowDisk = false;
  lastSaid = '';

  constructor(id: ReplicaId, members: readonly ReplicaId[]) {
    this.id = id;
    this.members = members;
  }

  /** @throws Error when it is down */
  get running(): Raft {
    if (this.raft === undefined) throw new Error(`${this.id} is down`);
    return this.raft;
  }

  random(): Prng {
    const float = (): number => this.luck;
    const prng: Prng = {
      float,
      uint32: () => Math.floor(float() * 2 ** 32),
      below: (bound) => Math.floor(float() * bound),
      fork: () => prng,
    };
    return prng;
  }
}

export class World {
  readonly replicas: Map<ReplicaId, Replica> = new Map();
  readonly network: Network = new Network();
  readonly #promises = new Promises();
  /** Messages bound to a ticket, by `id#life#ticket`. */
  readonly #afterSync = new Map<string, readonly RaftMessage[]>();
  #said: string[] = [];

  /** What was said since the last call. */
  takeSaid(): string[] {
    const said = this.#said;
    this.#said = [];
    return said;
  }

  say(line: string): void {
    this.#said.push(line);
  }

  /** @throws Error when there is none of that name */
  get(name: string): Replica {
    const replica = this.replicas.get(replicaId(name));
    if (replica === undefined) throw new Error(`no replica ${name}`);
    return replica;
  }

  add(name: string, size: number): void {
    const members = Array.from({ length: size }, (_, i) => replicaId(`r${i + 1}`));
    const replica = new Replica(replicaId(name), members);
    this.replicas.set(replica.id, replica);
    this.start(replica);
  }

  /** A new life, on what its disk holds durably. */
  start(replica: Replica): void {
    if (replica.raft !== undefined) throw new Error(`${replica.id} runs`);
    replica.life++;
    replica.lastSaid = '';
    replica.raft = new Raft(
      {
        cluster: 'golden',
        id: replica.id,
        members: replica.members,
        epoch: replica.disk.synced.epoch,
        incarnation: { ms: replica.life, nonce: replica.life },
        electionTimeoutMs: 300,
        heartbeatMs: 50,
        successorGraceMs: 30,
        commandVersion: 1,
        random: replica.random(),
      },
      replica.disk.boot(),
      replica.clockMs,
    );
    this.pump(replica);
  }

  /** What was not synced is lost. */
  crash(replica: Replica): void {
    replica.raft = undefined;
    replica.disk.crash();
  }

  /** The replica starts again on this disk. */
  plant(replica: Replica, stored: Stored): void {
    this.crash(replica);
    replica.disk.synced = stored;
    this.start(replica);
  }

  /** Carries out what a replica wants until it wants nothing. */
  pump(replica: Replica): void {
    for (;;) {
      const ready = replica.raft?.takeReady();
      if (ready === undefined) return;
      this.#carryOut(replica, ready);
    }
  }

  #carryOut(replica: Replica, ready: Ready): void {
    const { id } = replica;
    if (ready.changed) this.#tellRole(replica);
    for (const message of ready.messages) this.#send(replica, message);
    if (ready.persist !== undefined) {
      const { ticket } = ready.persist;
      replica.disk.write(ready.persist);
      this.#afterSync.set(`${id}#${replica.life}#${ticket}`, ready.afterPersist);
      const verb = replica.slowDisk ? `writes #${ticket}` : 'stores';
      this.say(`${id} ${verb} ${persistWords(ready.persist)}`);
    }
    if (ready.restore !== undefined) this.say(`${id} restores ${snapshotWords(ready.restore)}`);
    if (ready.committed.length > 0) this.#apply(replica, ready.committed);
    for (const { ctx, index } of ready.reads)
      this.say(index === 0 ? `${id} abandons read ${ctx}` : `${id} serves read ${ctx} at ${index}`);
    if (ready.probe !== undefined) this.say(`${id} probes ${ready.probe}`);
    if (ready.persist !== undefined && !replica.slowDisk) this.sync(replica);
  }

  #tellRole(replica: Replica): void {
    const status = replica.running.status();
    this.#promises.observes(status);
    const words = roleWords(status);
    if (words !== replica.lastSaid) this.say(`${replica.id} is ${words}`);
    replica.lastSaid = words;
  }

  #send(replica: Replica, message: RaftMessage): void {
    this.#promises.leaves(message, replica.disk.synced, this.replicas.get(message.to)?.disk.written);
    const lost = this.network.post(message) ? '' : ' (lost)';
    this.say(`${replica.id} sends ${message.to} ${messageWords(message)}${lost}`);
  }

  #apply(replica: Replica, entries: readonly LogEntry[]): void {
    for (const entry of entries) this.#promises.applies(replica.id, entry);
    this.say(`${replica.id} applies ${entriesWords(entries)}`);
  }

  /** The oldest write becomes durable: what waited for it leaves, then the core hears. @returns false: nothing waits */
  sync(replica: Replica): boolean {
    const ticket = replica.disk.sync();
    if (ticket === undefined) return false;
    if (replica.slowDisk) this.say(`${replica.id} has synced #${ticket}`);
    for (const message of this.#afterSync.get(`${replica.id}#${replica.life}#${ticket}`) ?? [])
      this.#send(replica, message);
    replica.running.persisted(ticket, replica.clockMs);
    this.pump(replica);
    return true;
  }

  deliver(message: RaftMessage): void {
    const replica = this.get(message.to);
    this.say(`${message.to} hears ${message.from} ${messageWords(message)}`);
    if (replica.raft === undefined) return this.say(`${message.to} is down`);
    const { refusedMessages } = replica.raft.status();
    replica.raft.step(message, replica.clockMs);
    if (replica.raft.status().refusedMessages > refusedMessages) this.say(`${message.to} does not listen`);
    this.pump(replica);
  }

  /** Time passes for one replica, tick by tick, until something `happened`. */
  tick(replica: Replica, ms: number, happened: () => boolean = () => false): void {
    const untilMs = replica.clockMs + ms;
    while (replica.clockMs < untilMs && !happened())
      this.jump(replica, Math.min(TICK_MS, untilMs - replica.clockMs));
  }

  /** Time passes in one go: a replica whose loop stalled. */
  jump(replica: Replica, ms: number): void {
    replica.clockMs += ms;
    const before = this.#said.length;
    replica.raft?.tick(replica.clockMs);
    this.pump(replica);
    if (this.#said.length > before) this.#said.splice(before, 0, `${replica.id} at ${replica.clockMs}ms`);
  }

  status(replica: Replica): void {
    const { id, raft, disk } = replica;
    this.say(
      raft === undefined ? `${id} down` : `${id} ${statusWords(raft.status(), disk.written, disk.synced)}`,
    );
  }
}
