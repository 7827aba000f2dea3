/**
 * R2 and R4 as they can be seen on the bus, and what else messages give away: who acts as a leader, what data planes say that they hold,
 * of which generation sandboxes are. A violation is the world's.
 */
import { compareFence, NO_FENCE, type Fence } from '../../../../src/core/model/fence.ts';
import type { CommandEnvelope } from '../../../../src/core/model/command.ts';
import type { SandboxStatus } from '../../../../src/core/model/sandbox.ts';
import type { ControlPlane } from '../../../../src/control-plane/control-plane.ts';
import { decodeBeacon, decodeEndpointBatch } from '../../../../src/wire/broadcast-codec.ts';
import { decodeDataPlaneMessage } from '../../../../src/wire/data-plane-codec.ts';
import { kindOf } from '../../../../src/wire/subjects.ts';
import { decodeCommand } from '../../../../src/wire/worker-codec.ts';
import { addressOf } from '../../../sim/sim-sandboxes.ts';
import type { SimWorker, World } from '../../../sim/world.ts';
import { SUSPICION_MS } from '../timing.ts';
import type { Committed } from './committed.ts';

export class Witness {
  readonly #world: World;
  readonly #committed: Committed;
  /** Of leaders that acted. */
  readonly #terms = new Set<number>();
  /** The highest that anybody acted under. */
  fence: Fence = NO_FENCE;
  /** As the last beacon of the highest fence says it. */
  specIndex = 0;
  /** By data plane: what its present life has said that it holds. */
  readonly #held = new Map<string, number>();
  /** By sandbox: the spec that it was started, or adopted, for. */
  readonly #specs = new Map<string, number>();
  /** Commands that were looked at when they were sent for the first time. */
  readonly #judged = new Set<string>();
  readonly #obeyed = new Map<string, Fence>();
  /** By the leader of the highest fence. */
  #withdrawn = new Set<string>();
  /** "address from data plane": taken out there because it refused a connection. */
  readonly #refused = new Set<string>();

  constructor(world: World, committed: Committed) {
    this.#world = world;
    this.#committed = committed;
    const { network } = world;
    const before = network.onMessage;
    network.onMessage = (from, subject, payload) => {
      before(from, subject, payload);
      this.#onMessage(from, subject, payload);
    };
    world.onRefused = (dataPlane, address) => this.#refused.add(`${address} from ${dataPlane}`);
    world.onDetail = (id, fields, message) => {
      if (message === 'command obeyed') this.#onObeyed(id, fields);
    };
  }

  get leaders(): number {
    return this.#terms.size;
  }

  /** A new life has said nothing yet. */
  onStarted(dataPlane: string): void {
    this.#held.delete(dataPlane);
  }

  /** Up to where a data plane has said, in its present life, that it knows all functions. */
  heldBy(dataPlane: string): number {
    return this.#held.get(dataPlane) ?? 0;
  }

  specOf(sandbox: string): number | undefined {
    return this.#specs.get(sandbox);
  }

  #onMessage(from: string, subject: string, payload: Uint8Array): void {
    const [, , root, , kind] = subject.split('.');
    if (root === 'beacon') this.#onBeacon(payload);
    else if (root === 'endpoints') this.#onEndpoints(from, payload);
    else if (root === 'worker' && kind === 'command') this.#onCommand(from, subject, payload);
    else if (root === 'lead' && kindOf(subject) === 'report') this.#onReport(from, payload);
  }

  #onBeacon(payload: Uint8Array): void {
    const { fence, specIndex } = decodeBeacon(payload);
    this.#terms.add(fence.term);
    const order = compareFence(fence, this.fence);
    if (order < 0) return;
    if (order > 0) this.#withdrawn = new Set();
    this.fence = fence;
    this.specIndex = specIndex;
  }

  #onReport(from: string, payload: Uint8Array): void {
    const message = decodeDataPlaneMessage(payload);
    if (message.kind === 'report') this.#held.set(from, message.specIndex);
  }

  /** Whoever acts under this fence is the one that everybody obeys, and does not know yet what there is. */
  isReconciling(fence: Fence): boolean {
    if (compareFence(fence, this.fence) !== 0) return false;
    const leader = this.#world
      .alive(this.#world.replicas)
      .find(({ process, controlPlane }) => process?.paused === false && leads(controlPlane, fence));
    return leader?.controlPlane?.term().phase !== 'reconciled' && leader !== undefined;
  }

  /** An endpoint may leave the table of a data plane: not for lack of a leader's memory. */
  mayGo(dataPlane: string, sandbox: string): boolean {
    return (
      this.#withdrawn.has(sandbox) ||
      this.#refused.has(`${addressOf(sandbox)} from ${dataPlane}`) ||
      !this.#isWanted(sandbox)
    );
  }

  /** R4: under the fence of a command that it obeys, a worker has seen none that is higher. */
  #onObeyed(worker: string, { epoch, term }: Readonly<Record<string, unknown>>): void {
    const fence: Fence = { epoch: Number(epoch), term: Number(term) };
    const seen = this.#obeyed.get(worker) ?? NO_FENCE;
    if (compareFence(fence, seen) < 0)
      this.#world.violation(`R4: ${worker} obeys term ${fence.term} after it has obeyed term ${seen.term}`);
    else this.#obeyed.set(worker, fence);
  }

  // ---- R2 -----------------------------------------------------------------------------------------------------------

  /** The sender, while it is the one that everybody obeys. */
  #leading(from: string, fence: Fence): ControlPlane | undefined {
    if (compareFence(fence, this.fence) < 0) return undefined;
    const replica = this.#world.replicas.find(({ id }) => id === from);
    return replica?.controlPlane?.leader().kind === 'self' ? replica.controlPlane : undefined;
  }

  #onEndpoints(from: string, payload: Uint8Array): void {
    const { fence, changes } = decodeEndpointBatch(payload);
    if (compareFence(fence, this.fence) === 0)
      for (const change of changes) if (change.kind === 'withdraw') this.#withdrawn.add(change.sandbox);
    const leader = this.#leading(from, fence);
    if (leader === undefined || leader.term().phase === 'reconciled') return;
    for (const change of changes) {
      if (change.kind !== 'withdraw' || !this.#isWanted(change.sandbox)) continue;
      if (!this.#isDeadTo(leader, change.sandbox))
        this.#world.violation(`R2: term ${fence.term} withdraws ${change.sandbox} before it has reconciled`);
    }
  }

  #onCommand(from: string, subject: string, payload: Uint8Array): void {
    const envelope = decodeCommand(payload);
    const { command } = envelope;
    if (command.kind === 'create' || command.kind === 'adopt')
      this.#specs.set(command.sandbox, command.specIndex);
    const leader = this.#leading(from, envelope.fence);
    const worker = subject.split('.')[3] ?? '';
    if (leader === undefined || !this.#isFirst(worker, envelope)) return;
    const { term } = envelope.fence;
    if (command.kind === 'create') {
      if (leader.workers().some(({ id, cordoned }) => id === worker && cordoned))
        this.#world.violation(`term ${term} starts a sandbox on ${worker}, which is cordoned`);
      return;
    }
    if (command.kind !== 'drain' && command.kind !== 'kill') return;
    if (leader.term().phase !== 'reconciled' && this.#isWanted(command.sandbox))
      this.#world.violation(`R2: term ${term} ends ${command.sandbox} before it has reconciled`);
  }

  /** What was sent before its leader knew better is sent again. */
  #isFirst(worker: string, { fence, incarnation, seq }: CommandEnvelope): boolean {
    const key = `${worker}/${fence.term}/${incarnation.ms}/${incarnation.nonce}/${seq}`;
    if (this.#judged.has(key)) return false;
    this.#judged.add(key);
    return true;
  }

  #holderOf(sandbox: string): { readonly worker: SimWorker; readonly status: SandboxStatus } | undefined {
    for (const worker of this.#world.alive(this.#world.workers)) {
      const status = worker.worker?.sandboxes.find(({ id }) => id === sandbox);
      if (status !== undefined) return { worker, status };
    }
    return undefined;
  }

  /**
   * Ready, of the current generation of a function that exists: nothing but surplus may take it away. Without those that have a
   * hard limit: they are replaced when their owner is gone, at any time (O2).
   */
  #isWanted(sandbox: string): boolean {
    const status = this.#holderOf(sandbox)?.status;
    if (status?.state !== 'ready' || status.trial) return false;
    this.#committed.catchUp();
    const record = this.#committed.registry.byUid(status.uid);
    return record?.generation === status.generation && record.spec.containerConcurrency === 0;
  }

  /** The leader has not heard its worker for a suspicion interval, or nobody subscribes there. */
  #isDeadTo(leader: ControlPlane, sandbox: string): boolean {
    const worker = this.#holderOf(sandbox)?.worker;
    const row = leader.workers().find(({ id }) => id === worker?.id);
    return row === undefined || row.state === 'dead' || row.heardMsAgo >= SUSPICION_MS;
  }
}

function leads(controlPlane: ControlPlane | undefined, { term }: Fence): boolean {
  return (
    controlPlane?.isReady() === true &&
    controlPlane.leader().kind === 'self' &&
    controlPlane.raft().term === term
  );
}
