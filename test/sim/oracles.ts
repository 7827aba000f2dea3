/** What must hold at every moment, and what must hold once everything has settled. */
import { Agreement } from '../../chaos/verifiers/agreement.ts';
import { divergence } from '../../chaos/verifiers/convergence.ts';
import { FenceWitness } from '../../chaos/verifiers/fence.ts';
import { decodeBeacon } from '../../src/wire/broadcast-codec.ts';
import { decodeDataPlaneMessage } from '../../src/wire/data-plane-codec.ts';
import { decodeRaftMessage } from '../../src/wire/raft-codec.ts';
import { senderOf } from '../../src/wire/subjects.ts';
import { LogOracle } from './log-oracle.ts';
import { MessageOracle } from './message-oracle.ts';
import type { SimProcess } from './process.ts';
import type { SimReplica, World } from './world.ts';

type Kind = 'raft' | 'beacon' | 'report' | 'other';

const KINDS = ['raft', 'beacon', 'report'] as const;
const kindOf = (subject: string): Kind => KINDS.find((kind) => subject.includes(`.${kind}.`)) ?? 'other';

export class Oracles {
  readonly #world: World;
  readonly #agreement: Agreement;
  readonly #log: LogOracle;
  readonly #messages: MessageOracle;
  readonly #fences: FenceWitness;
  /** By subject: what is said on it. */
  readonly #kinds = new Map<string, Kind>();
  /** By life: the index whose state was looked at last. */
  readonly #applied = new WeakMap<SimProcess, number>();
  #maxTerm = 0;

  constructor(world: World) {
    this.#world = world;
    this.#agreement = new Agreement((what) => world.violation(what));
    this.#log = new LogOracle(world);
    this.#messages = new MessageOracle(world, this.#log);
    this.#fences = new FenceWitness((what) => world.violation(`FENCE: ${what}`));
    world.onDiskLost = (replica) => this.#log.forget(replica);
    world.network.onMessage = (from, subject, payload) => this.#onMessage(from, subject, payload);
  }

  /** Terms in which somebody led. */
  get leaderChanges(): number {
    return this.#agreement.leaders.size - 1;
  }

  get maxTerm(): number {
    return this.#maxTerm;
  }

  #onMessage(from: string, subject: string, payload: Uint8Array): void {
    const kind = this.#kindOf(subject);
    if (kind === 'beacon' || kind === 'report') this.#witness(kind, from, payload);
    if (kind !== 'raft' || payload.length === 0) return;
    const message = decodeRaftMessage(payload);
    this.#maxTerm = Math.max(this.#maxTerm, message.term);
    const sender = this.#world.replicas.find(({ id }) => id === from);
    if (senderOf(subject) !== from) this.#world.violation(`${from} speaks on ${subject}`);
    const isPre = message.body.kind === 'vote-request' && message.body.pre;
    if (sender !== undefined && !isPre) sender.shownTerm = Math.max(sender.shownTerm, message.term);
    if (sender !== undefined) {
      this.#messages.onMessage(sender, message);
      // At the end of its turn: between what it says and what it applies the two are not of one index.
      queueMicrotask(() => this.#holds(sender));
    }
    if (message.body.kind !== 'append' && message.body.kind !== 'snapshot') return;
    if (!this.#agreement.leads(from, message.term)) return;
    this.#world.tell(`${from} leads term ${message.term}`);
    if (sender !== undefined) this.#log.onLeader(sender, message.term);
  }

  /** FENCE: replicas through all their lives, data planes through each; workers are seen where they write it down (world.ts). */
  #witness(kind: 'beacon' | 'report', from: string, payload: Uint8Array): void {
    if (kind === 'beacon') return this.#fences.see(from, decodeBeacon(payload).fence);
    const message = decodeDataPlaneMessage(payload);
    if (message.kind !== 'report') return;
    const { incarnation, fence } = message;
    this.#fences.see(`${from} of ${incarnation.ms}/${incarnation.nonce}`, fence);
  }

  #kindOf(subject: string): Kind {
    // Each inbox is another, and no subject of ours.
    if (subject.startsWith('_INBOX')) return 'other';
    let kind = this.#kinds.get(subject);
    if (kind === undefined) this.#kinds.set(subject, (kind = kindOf(subject)));
    return kind;
  }

  sample(): void {
    for (const replica of this.#world.replicas) this.#holds(replica);
  }

  /** State-machine safety: the same index gives the same state on every replica. Looked at whenever one says something. */
  #holds({ id, process, controlPlane }: SimReplica): void {
    if (process?.alive !== true || controlPlane?.isReady() !== true) return;
    const applied = controlPlane.appliedIndex();
    if (this.#applied.get(process) === applied) return;
    this.#applied.set(process, applied);
    this.#agreement.holds(id, applied, controlPlane.stateHash());
  }

  /**
   * R1: the leader's table = the workers' truth = every data plane's table. What is missing, or undefined.
   *
   * @param replicas that must be there and of one mind
   */
  unsettled(replicas: readonly SimReplica[] = this.#world.replicas): string | undefined {
    const world = this.#world;
    const leader = world.leader()?.controlPlane;
    if (leader === undefined) return 'no leader';
    if (leader.term().phase !== 'reconciled') return 'reconstruction is not closed';
    if (replicas.some(({ controlPlane }) => controlPlane?.isReady() !== true))
      return 'a replica is not there';
    const hashes = new Set(replicas.map(({ controlPlane }) => controlPlane?.stateHash()));
    if (hashes.size > 1) return 'replicas differ';
    if (replicas.some(({ controlPlane }) => controlPlane?.raft().voter !== true))
      return 'a replica has no vote';
    return divergence({
      leader: leader.sandboxes(),
      workers: world.workers
        .flatMap(({ worker }) => worker?.sandboxes ?? [])
        .filter(({ state }) => state === 'ready')
        .map(({ id }) => id),
      dataPlanes: new Map(
        world.planes.map(({ id, plane }) => [id, (plane?.endpoints ?? []).map(({ sandbox }) => sandbox)]),
      ),
      scales: [],
    });
  }
}
