/**
 * The leader's side of the endpoint stream: one writer, one seq, changes coalesced into a batch per turn.
 *
 *   W1  every entry here was confirmed by its worker under this term; the digest covers all of them;
 *   W2  seq rises by one per batch, and a batch is not changed after it was taken.
 */
import { assert } from '../../lib/assert.ts';
import type { FunctionUid, SandboxId } from '../../lib/ids.ts';
import type { EndpointBatch, EndpointChange, EndpointSnapshot, TableDigest } from '../model/broadcast.ts';
import type { Fence } from '../model/fence.ts';
import type { Endpoint, FunctionOwner } from '../model/sandbox.ts';
import { RunningDigest } from './digest.ts';

/** Keeps a batch far below the largest message. */
const CHANGES_PER_BATCH = 512;

export class EndpointWriter {
  readonly #fence: Fence;
  readonly #endpoints = new Map<SandboxId, Endpoint>();
  readonly #owners = new Map<FunctionUid, FunctionOwner>();
  /** For partial snapshots; a complete one says it by what it lacks. */
  readonly #withdrawn = new Map<SandboxId, FunctionUid>();
  readonly #digest = new RunningDigest();
  #complete = false;
  #pending: EndpointChange[] = [];
  #seq = 0;

  constructor(fence: Fence) {
    this.#fence = fence;
  }

  /** Of the last batch taken. */
  get seq(): number {
    return this.#seq;
  }

  /** The seq that the pending changes will be published under. */
  get pendingSeq(): number {
    return this.#seq + Math.ceil(this.#pending.length / CHANGES_PER_BATCH);
  }

  get size(): number {
    return this.#endpoints.size;
  }

  digest(): TableDigest {
    assert(this.#pending.length === 0, 'the digest is as of the last batch');
    return this.#digest.value();
  }

  put(endpoint: Endpoint): void {
    const before = this.#endpoints.get(endpoint.sandbox);
    if (before !== undefined) this.#digest.removeEndpoint(before);
    this.#endpoints.set(endpoint.sandbox, endpoint);
    this.#digest.addEndpoint(endpoint);
    this.#withdrawn.delete(endpoint.sandbox);
    this.#pending.push({ kind: 'put', endpoint });
  }

  /** Also for entries that only data planes hold: the receiver drops what it has under this id. */
  withdraw(sandbox: SandboxId, uid: FunctionUid): void {
    const before = this.#endpoints.get(sandbox);
    if (before !== undefined) {
      this.#digest.removeEndpoint(before);
      this.#endpoints.delete(sandbox);
    }
    if (!this.#complete) this.#withdrawn.set(sandbox, uid);
    this.#pending.push({ kind: 'withdraw', sandbox, uid });
  }

  /** Reconciliation has closed: from now on snapshots are complete. */
  complete(): void {
    this.#complete = true;
    this.#withdrawn.clear();
  }

  owner(uid: FunctionUid): FunctionOwner | undefined {
    return this.#owners.get(uid);
  }

  setOwner(uid: FunctionUid, owner: FunctionOwner | undefined): void {
    const before = this.#owners.get(uid);
    if (before !== undefined) this.#digest.removeOwner(uid, before);
    if (owner === undefined) this.#owners.delete(uid);
    else {
      this.#owners.set(uid, owner);
      this.#digest.addOwner(uid, owner);
    }
    if (before !== undefined || owner !== undefined) this.#pending.push({ kind: 'owner', uid, owner });
  }

  takeBatches(): EndpointBatch[] {
    const batches: EndpointBatch[] = [];
    for (let at = 0; at < this.#pending.length; at += CHANGES_PER_BATCH) {
      batches.push({
        fence: this.#fence,
        seq: ++this.#seq,
        changes: this.#pending.slice(at, at + CHANGES_PER_BATCH),
      });
    }
    this.#pending = [];
    return batches;
  }

  snapshot(): EndpointSnapshot {
    assert(this.#pending.length === 0, 'a snapshot is as of the last batch');
    return {
      fence: this.#fence,
      seq: this.#seq,
      complete: this.#complete,
      endpoints: [...this.#endpoints.values()],
      owners: Array.from(this.#owners, ([uid, owner]) => ({ uid, owner })),
      withdrawn: Array.from(this.#withdrawn, ([sandbox, uid]) => ({ sandbox, uid })),
    };
  }
}
