/**
 * A small world for the Raft core alone: replicas with disks that separate written from durable, a network that loses,
 * repeats and reorders, crashes at any point, and the safety checks of the paper after every step.
 */
import { Raft } from '../../../src/core/raft/raft.ts';
import type { LogEntry, Persist, RaftMessage, Ready } from '../../../src/core/raft/types.ts';
import { replicaId, type ReplicaId } from '../../../src/lib/ids.ts';
import { prng, type Prng } from '../../../src/lib/prng.ts';
import { blankDisk, bootFrom, write, type Disk } from './disk.ts';

export interface Replica {
  readonly id: ReplicaId;
  raft: Raft | undefined;
  disk: Disk;
  pending: { persist: Persist; after: readonly RaftMessage[] }[];
  applied: Map<number, string>;
  life: number;
}

export interface WorldOptions {
  readonly lossPct: number;
  readonly duplicatePct: number;
  readonly compactEvery: number;
}

const text = (data: Uint8Array): string => String.fromCodePoint(...data);
const bytes = (value: string): Uint8Array => Uint8Array.from(value, (c) => c.codePointAt(0) ?? 0);

export class World {
  readonly random: Prng;
  readonly replicas: Map<ReplicaId, Replica> = new Map();
  readonly members: readonly ReplicaId[];
  network: RaftMessage[] = [];
  nowMs = 0;
  readonly options: WorldOptions;
  /** Messages from `a` to `b` are withheld: "a>b". */
  readonly cut: Set<string> = new Set();
  readonly leaders: Map<number, ReplicaId> = new Map();
  /** index → term:data, of everything that any replica applied. */
  readonly committed: Map<number, string> = new Map();
  proposed = 0;
  leaderChanges = 0;

  constructor(seed: number | string, size: number, options: Partial<WorldOptions> = {}) {
    this.random = prng(seed);
    this.options = { lossPct: 0, duplicatePct: 0, compactEvery: 0, ...options };
    this.members = Array.from({ length: size }, (_, i) => replicaId(`r${i + 1}`));
    for (const id of this.members) {
      this.replicas.set(id, {
        id,
        raft: undefined,
        disk: blankDisk(),
        pending: [],
        applied: new Map(),
        life: 0,
      });
      this.start(id);
    }
  }

  get(id: ReplicaId): Replica {
    const replica = this.replicas.get(id);
    if (replica === undefined) throw new Error(`no replica ${id}`);
    return replica;
  }

  start(id: ReplicaId): void {
    const replica = this.get(id);
    replica.life++;
    replica.pending = [];
    replica.applied = new Map();
    replica.raft = new Raft(
      {
        cluster: 'c',
        id,
        members: this.members,
        epoch: 1,
        incarnation: { ms: replica.life, nonce: replica.life * 7 },
        electionTimeoutMs: 300,
        heartbeatMs: 50,
        successorGraceMs: 30,
        commandVersion: 1,
        random: this.random.fork(`${id}/${replica.life}`),
      },
      bootFrom(replica.disk),
      this.nowMs,
    );
    this.pump(replica);
  }

  /** What was written and not confirmed may be there or not: a prefix of the pending batches survives. */
  crash(id: ReplicaId): void {
    const replica = this.get(id);
    if (replica.raft === undefined) return;
    const survive = this.random.below(replica.pending.length + 1);
    for (const { persist } of replica.pending.slice(0, survive)) write(replica.disk, persist);
    replica.raft = undefined;
    replica.pending = [];
  }

  wipe(id: ReplicaId): void {
    this.crash(id);
    this.get(id).disk = { ...blankDisk(), voter: false };
  }

  /** Takes Ready after Ready until the replica has nothing more to say. */
  pump(replica: Replica): void {
    for (;;) {
      const ready = replica.raft?.takeReady();
      if (ready === undefined) return;
      this.#handle(replica, ready);
      this.check(replica);
    }
  }

  #handle(replica: Replica, ready: Ready): void {
    this.#post(ready.messages);
    if (ready.persist === undefined && ready.afterPersist.length > 0)
      throw new Error('afterPersist without a ticket');
    if (ready.persist !== undefined)
      replica.pending.push({ persist: ready.persist, after: ready.afterPersist });
    if (ready.restore !== undefined) {
      replica.applied = new Map(JSON.parse(text(ready.restore.data)) as [number, string][]);
    }
    for (const entry of ready.committed) this.#apply(replica, entry);
    if (ready.probe !== undefined) {
      const leader = this.get(ready.probe);
      replica.raft?.probeResult(ready.probe, leader.raft === undefined, this.nowMs);
      leader.raft?.probed(this.nowMs);
    }
  }

  #apply(replica: Replica, entry: LogEntry): void {
    const value = `${entry.term}:${text(entry.data)}`;
    const known = this.committed.get(entry.index);
    if (known !== undefined && known !== value)
      throw new Error(`state machine safety: ${entry.index} ${known} ≠ ${value}`);
    this.committed.set(entry.index, value);
    replica.applied.set(entry.index, value);
    const { compactEvery } = this.options;
    if (compactEvery > 0 && entry.index % compactEvery === 0 && replica.raft !== undefined) {
      const snapshot = {
        index: entry.index,
        term: entry.term,
        data: bytes(JSON.stringify([...replica.applied])),
      };
      replica.raft.compacted(snapshot, entry.index + 1);
      replica.pending.push({
        persist: { ticket: 0, hardState: undefined, entries: [], snapshot, identity: undefined },
        after: [],
      });
    }
  }

  #post(messages: readonly RaftMessage[]): void {
    for (const message of messages) {
      if (this.cut.has(`${message.from}>${message.to}`) || this.random.below(100) < this.options.lossPct)
        continue;
      this.network.push(message);
      if (this.random.below(100) < this.options.duplicatePct) this.network.push(message);
    }
  }

  /** Delivers one message, at random or in order. */
  deliver(anyOrder: boolean): boolean {
    if (this.network.length === 0) return false;
    const at = anyOrder ? this.random.below(this.network.length) : 0;
    const [message] = this.network.splice(at, 1);
    if (message === undefined || this.cut.has(`${message.from}>${message.to}`)) return true;
    const replica = this.get(message.to);
    replica.raft?.step(message, this.nowMs);
    this.pump(replica);
    return true;
  }

  /** The oldest write of a replica becomes durable. */
  sync(id: ReplicaId): boolean {
    const replica = this.get(id);
    const batch = replica.pending.shift();
    if (batch === undefined || replica.raft === undefined) return false;
    write(replica.disk, batch.persist);
    this.#post(batch.after);
    if (batch.persist.ticket > 0) replica.raft.persisted(batch.persist.ticket, this.nowMs);
    this.pump(replica);
    return true;
  }

  tick(ms: number): void {
    this.nowMs += ms;
    for (const replica of this.replicas.values()) {
      replica.raft?.tick(this.nowMs);
      this.pump(replica);
    }
  }

  leader(): Replica | undefined {
    let best: Replica | undefined;
    for (const replica of this.replicas.values()) {
      const status = replica.raft?.status();
      if (status?.role !== 'leader') continue;
      if (best === undefined || status.term > (best.raft?.status().term ?? 0)) best = replica;
    }
    return best;
  }

  propose(): boolean {
    const leader = this.leader();
    const result = leader?.raft?.propose(bytes(`v${++this.proposed}`));
    if (leader !== undefined) this.pump(leader);
    return result?.ok === true;
  }

  /** Everything works, for this long. */
  settle(ms: number): void {
    const until = this.nowMs + ms;
    while (this.nowMs < until) {
      this.tick(5);
      for (let busy = true; busy;) {
        busy = false;
        for (let n = this.network.length; n > 0; n--) busy = this.deliver(false) || busy;
        for (const id of this.members) while (this.sync(id)) busy = true;
      }
    }
  }

  /** Election safety, and leader completeness: a new leader's log holds everything that was ever applied. */
  check(replica: Replica): void {
    const status = replica.raft?.status();
    if (status?.role !== 'leader') return;
    const known = this.leaders.get(status.term);
    if (known !== undefined && known !== replica.id) throw new Error(`two leaders in term ${status.term}`);
    if (known === undefined) {
      this.leaders.set(status.term, replica.id);
      this.leaderChanges++;
      const highest = Math.max(0, ...this.committed.keys());
      if (status.lastIndex < highest)
        throw new Error(`leader completeness: ${status.lastIndex} < ${highest}`);
    }
  }
}
