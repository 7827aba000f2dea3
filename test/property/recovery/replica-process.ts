/**
 * One life of a control-plane replica: the production Raft core and metadata state machine over a disk that separates written
 * from durable, and, while it leads, a leader.
 */
import { MetadataState } from '../../../src/core/metadata/metadata-state.ts';
import type { MetadataCommand, MetadataOutcome } from '../../../src/core/model/metadata.ts';
import { Raft } from '../../../src/core/raft/raft.ts';
import type { LogEntry, Persist, RaftMessage, RaftStatus, Ready } from '../../../src/core/raft/types.ts';
import type { ReplicaId } from '../../../src/lib/ids.ts';
import type { Prng } from '../../../src/lib/prng.ts';
import { decodeMetadataCommand, encodeMetadataCommand } from '../../../src/wire/metadata-codec.ts';
import { bootFrom, write, type Disk } from '../raft/disk.ts';
import type { LeaderHost, ReplicaMember, World } from './cast.ts';
import { LeaderProcess } from './leader-process.ts';
import { ELECTION_TIMEOUT_MS } from './timing.ts';

const TICK_MS = 20;
const WRITE_MS = 3;
const PROBE_MS = 2;

type Mutation = Exclude<MetadataCommand, { kind: 'no-op' }>;

export class ReplicaProcess implements ReplicaMember, LeaderHost {
  readonly id: ReplicaId;
  readonly state: MetadataState = new MetadataState();
  leading: LeaderProcess | undefined;
  bulk: { readonly up: boolean; readonly sinceMs: number };
  readonly #world: World;
  readonly #disk: Disk;
  readonly #raft: Raft;
  readonly #random: Prng;
  readonly #onElected: (leader: LeaderProcess) => void;
  /** As of its last change. */
  #status: RaftStatus;
  #alive = true;
  /** Written, not durable yet, oldest first. */
  readonly #writes: { readonly persist: Persist; readonly after: readonly RaftMessage[] }[] = [];
  readonly #proposals = new Map<
    number,
    { readonly term: number; readonly onEnd: (outcome: MetadataOutcome | 'overtaken') => void }
  >();
  readonly #reads = new Map<number, (isServed: boolean) => void>();
  #nextRead = 0;

  constructor(
    world: World,
    id: ReplicaId,
    life: number,
    disk: Disk,
    random: Prng,
    onElected: (leader: LeaderProcess) => void,
  ) {
    this.#world = world;
    this.id = id;
    this.#disk = disk;
    this.#random = random;
    this.#onElected = onElected;
    this.bulk = { up: world.network.hasBus, sinceMs: world.nowMs };
    this.#raft = new Raft(
      {
        cluster: 'model',
        id,
        members: world.replicaIds,
        epoch: 1,
        incarnation: { ms: life, nonce: random.uint32() },
        electionTimeoutMs: ELECTION_TIMEOUT_MS,
        heartbeatMs: 50,
        successorGraceMs: 30,
        commandVersion: 1,
        random: random.fork('raft'),
      },
      bootFrom(disk),
      world.nowMs,
    );
    this.#status = this.#raft.status();
    this.#tick();
  }

  /** `frozen`: what it would have said as a leader it may still say when it is woken; whoever supervises it starts another. */
  kill(how: 'dead' | 'frozen'): void {
    this.#alive = false;
    // What was written and not confirmed may be there or not.
    const survive = this.#random.below(this.#writes.length + 1);
    for (const { persist } of this.#writes.splice(0).slice(0, survive)) write(this.#disk, persist);
    if (how === 'frozen') this.leading?.freeze();
    else this.leading?.die();
    this.leading = undefined;
  }

  // ---- what a leader needs of its replica ---------------------------------------------------------------------------

  get isLeader(): boolean {
    return this.#alive && this.#status.role === 'leader';
  }

  mayAct(): boolean {
    return this.#alive && this.#raft.mayAct(this.#world.nowMs);
  }

  propose(command: Mutation, onEnd: (outcome: MetadataOutcome | 'overtaken') => void): void {
    this.#turn(() => {
      const result = this.#raft.propose(encodeMetadataCommand(command));
      if (result.ok) this.#proposals.set(result.index, { term: result.term, onEnd });
      else this.#answer(() => onEnd('overtaken'));
    });
  }

  readIndex(onEnd: (isServed: boolean) => void): void {
    this.#turn(() => {
      const ctx = ++this.#nextRead;
      if (this.#raft.readIndex(ctx)) this.#reads.set(ctx, onEnd);
      else this.#answer(() => onEnd(false));
    });
  }

  transferLeadership(): boolean {
    let begun = false;
    this.#turn(() => {
      const { successor } = this.#raft.status();
      begun = successor !== '' && this.#raft.transferLeadership(successor);
    });
    return begun;
  }

  // ---- the world ----------------------------------------------------------------------------------------------------

  /** The connection that everything but Raft goes over. */
  setBulk(up: boolean): void {
    if (this.bulk.up === up) return;
    this.bulk = { up, sinceMs: up ? this.#world.nowMs : this.bulk.sinceMs };
    this.leading?.onBulk(up);
  }

  onRaft(message: RaftMessage): void {
    this.#turn(() => this.#raft.step(message, this.#world.nowMs));
  }

  /** The bus says that nobody subscribes for the leader any more. */
  onGone(leader: ReplicaId): void {
    this.#turn(() => this.#raft.leaderGone(leader, this.#world.nowMs));
  }

  onProbe(): void {
    this.#turn(() => this.#raft.probed(this.#world.nowMs));
  }

  #tick(): void {
    if (!this.#alive) return;
    this.#turn(() => this.#raft.tick(this.#world.nowMs));
    this.#world.queue.after(TICK_MS, () => this.#tick());
  }

  #turn(run: () => void): void {
    if (!this.#alive) return;
    run();
    for (let ready = this.#raft.takeReady(); ready !== undefined; ready = this.#raft.takeReady())
      this.#carryOut(ready);
    this.#follow();
    this.leading?.flush();
  }

  #follow(): void {
    const { term } = this.#status;
    if (this.leading !== undefined && (!this.isLeader || this.leading.fence.term !== term)) {
      this.leading.stop();
      this.leading = undefined;
    }
    if (this.leading !== undefined || !this.mayAct()) return;
    this.leading = new LeaderProcess(this.#world, this, { epoch: 1, term });
    this.#onElected(this.leading);
    this.leading.start();
  }

  #carryOut(ready: Ready): void {
    for (const message of ready.messages) this.#send(message);
    if (ready.persist !== undefined) this.#write(ready.persist, ready.afterPersist);
    for (const entry of ready.committed) this.#apply(entry);
    for (const { ctx, index } of ready.reads) {
      const onEnd = this.#reads.get(ctx);
      this.#reads.delete(ctx);
      this.#answer(() => onEnd?.(index > 0));
    }
    if (ready.probe !== undefined) this.#probe(ready.probe);
    if (!ready.changed) return;
    this.#status = this.#raft.status();
    if (!this.isLeader) this.#failProposals();
  }

  #send(message: RaftMessage): void {
    this.#world.network.pass(this.id, message.to, 'raft messages', () =>
      this.#world.replica(message.to)?.onRaft(message),
    );
  }

  #write(persist: Persist, after: readonly RaftMessage[]): void {
    this.#writes.push({ persist, after });
    this.#world.queue.after(WRITE_MS * this.#random.float(), () => {
      // Tickets become durable in order, whichever write ends first.
      const done = this.#alive ? this.#writes.shift() : undefined;
      if (done === undefined) return;
      write(this.#disk, done.persist);
      for (const message of done.after) this.#send(message);
      this.#turn(() => this.#raft.persisted(done.persist.ticket, this.#world.nowMs));
    });
  }

  #apply({ index, term, data }: LogEntry): void {
    const command = decodeMetadataCommand(data);
    const { outcome, change } = this.state.apply(index, command);
    this.#world.promises.onApplied(this.id, index, command);
    const proposal = this.#proposals.get(index);
    this.#proposals.delete(index);
    this.leading?.applied(index, change);
    if (proposal === undefined) return;
    const isOwn = proposal.term === term && outcome !== undefined;
    this.#answer(() => proposal.onEnd(isOwn ? outcome : 'overtaken'));
  }

  #failProposals(): void {
    const proposals = [...this.#proposals.values()];
    this.#proposals.clear();
    for (const { onEnd } of proposals) this.#answer(() => onEnd('overtaken'));
  }

  /** In a turn of its own; never, when it dies first. */
  #answer(run: () => void): void {
    this.#world.queue.soon(() => {
      if (this.#alive) run();
    });
  }

  #probe(leader: ReplicaId): void {
    const { queue, network } = this.#world;
    queue.after(PROBE_MS, () => {
      if (!this.#alive) return;
      const other = this.#world.replica(leader);
      const isReached = !network.isCut(this.id, leader);
      if (isReached) other?.onProbe();
      this.#turn(() => this.#raft.probeResult(leader, isReached && other === undefined, this.#world.nowMs));
    });
  }
}
