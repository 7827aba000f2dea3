/** What must hold at every moment, and what must hold once everything has settled. */
import { decodeRaftMessage } from '../../src/wire/raft-codec.ts';
import { senderOf } from '../../src/wire/subjects.ts';
import { LogOracle } from './log-oracle.ts';
import type { World } from './world.ts';

export class Oracles {
  readonly #world: World;
  /** Who has acted as the leader of a term. */
  readonly #leaders = new Map<number, string>();
  readonly #hashes = new Map<number, { readonly hash: string; readonly id: string }>();
  readonly #log: LogOracle;
  #maxTerm = 0;

  constructor(world: World) {
    this.#world = world;
    this.#log = new LogOracle(world);
    world.onDiskLost = (replica) => this.#log.forget(replica);
    world.network.onMessage = (from, subject, payload) => this.#onMessage(from, subject, payload);
  }

  /** Terms in which somebody led. */
  get leaderChanges(): number {
    return this.#leaders.size - 1;
  }

  get maxTerm(): number {
    return this.#maxTerm;
  }

  #onMessage(from: string, subject: string, payload: Uint8Array): void {
    if (!subject.includes('.raft.') || payload.length === 0) return;
    const message = decodeRaftMessage(payload);
    this.#maxTerm = Math.max(this.#maxTerm, message.term);
    const sender = this.#world.replicas.find(({ id }) => id === from);
    if (senderOf(subject) !== from) this.#world.violation(`${from} speaks on ${subject}`);
    const isPre = message.body.kind === 'vote-request' && message.body.pre;
    if (sender !== undefined && !isPre) sender.shownTerm = Math.max(sender.shownTerm, message.term);
    if (sender !== undefined) this.#log.onMessage(sender, message);
    if (message.body.kind !== 'append' && message.body.kind !== 'snapshot') return;
    const known = this.#leaders.get(message.term);
    if (known === undefined) {
      this.#leaders.set(message.term, from);
      this.#world.tell(`${from} leads term ${message.term}`);
      if (sender !== undefined) this.#log.onLeader(sender, message.term);
    } else if (known !== from)
      this.#world.violation(`election safety: ${known} and ${from} lead term ${message.term}`);
  }

  /** State-machine safety: the same index gives the same state on every replica. */
  sample(): void {
    for (const { id, controlPlane } of this.#world.alive(this.#world.replicas)) {
      if (controlPlane?.isReady() !== true) continue;
      const { applied } = controlPlane.raft();
      const hash = controlPlane.stateHash();
      const known = this.#hashes.get(applied);
      if (known === undefined) this.#hashes.set(applied, { hash, id });
      else if (known.hash !== hash)
        this.#world.violation(`state-machine safety: ${id} and ${known.id} differ at index ${applied}`);
    }
  }

  /** R1: the leader's table = the workers' truth = every data plane's table. What is missing, or undefined. */
  unsettled(): string | undefined {
    const world = this.#world;
    const leader = world.leader()?.controlPlane;
    if (leader === undefined) return 'no leader';
    if (leader.reconstruction().phase !== 'reconciled') return 'reconstruction is not closed';
    if (world.replicas.some(({ controlPlane }) => controlPlane?.isReady() !== true))
      return 'a replica is not there';
    const hashes = new Set(world.replicas.map(({ controlPlane }) => controlPlane?.stateHash()));
    if (hashes.size > 1) return 'replicas differ';
    if (world.replicas.some(({ controlPlane }) => controlPlane?.raft().voter !== true))
      return 'a replica has no vote';
    const truth = world.workers
      .flatMap(({ worker }) => worker?.sandboxes ?? [])
      .filter(({ state }) => state === 'ready')
      .map(({ id }) => id)
      .sort();
    const table = leader
      .sandboxes()
      .filter(({ state }) => state === 'ready')
      .map(({ id }) => id)
      .sort();
    const all = leader.sandboxes();
    if (all.length !== table.length)
      return `not settled: ${all
        .filter(({ state }) => state !== 'ready')
        .map(({ id, state }) => `${id} ${state}`)
        .join(', ')}`;
    if (String(truth) !== String(table))
      return `R1: workers have [${truth.join(' ')}], the leader has [${table.join(' ')}]`;
    for (const { id, plane } of world.planes) {
      const held = (plane?.endpoints ?? []).map(({ sandbox }) => sandbox).sort();
      if (String(held) !== String(table))
        return `R1: ${id} has [${held.join(' ')}], the leader has [${table.join(' ')}]`;
    }
    return undefined;
  }
}
