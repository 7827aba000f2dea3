/**
 * A data plane's copy of the endpoint table.
 *
 *   T1  only the next seq of the highest fence is applied; anything else is ignored, refused or answered with a pull;
 *   T2  a new fence confirms nothing and removes nothing: entries go on serving, unconfirmed, until the leader says more;
 *   T3  an entry leaves by an explicit withdrawal, by a complete snapshot that lacks it, or, for TCP addresses that stay
 *       unconfirmed for five minutes, by age (ports are reused, unix sockets are not: R7);
 *   T4  an entry that refused a connection is out of use here, and still in the table, until it is put again.
 */
import type { FunctionUid, SandboxId, WorkerId } from '../../lib/ids.ts';
import type {
  Beacon,
  EndpointBatch,
  EndpointChange,
  EndpointSnapshot,
  TableDigest,
} from '../model/broadcast.ts';
import { compareFence, NO_FENCE, type Fence } from '../model/fence.ts';
import { isSameOwner, type Endpoint, type FunctionOwner } from '../model/sandbox.ts';
import { RunningDigest } from './digest.ts';

const UNCONFIRMED_TCP_MS = 5 * 60_000;

interface Entry {
  readonly endpoint: Endpoint;
  /** Under which it was put: confirmed while that goes on. So a new fence touches no entry, however many there are. */
  readonly reign: Reign;
  refused: boolean;
}

/** The time under one fence. */
interface Reign {
  /** When the next fence was adopted: since then what is left of it is unconfirmed. */
  endedMs: number;
}

const newReign = (): Reign => ({ endedMs: Number.POSITIVE_INFINITY });

export interface TableUpdate {
  /** What the dispatcher has to follow, in order. */
  readonly changes: readonly EndpointChange[];
  /** The table is behind: ask the leader for a snapshot. */
  readonly pull: boolean;
  /** A higher fence was seen for the first time. */
  readonly newFence: boolean;
  /** The message was under a lower fence. */
  readonly fenced: boolean;
}

const NOTHING: TableUpdate = { changes: [], pull: false, newFence: false, fenced: false };

/** What survives a restart of the data plane, in its table file. */
export interface SavedTable {
  readonly fence: Fence;
  readonly endpoints: readonly Endpoint[];
  readonly owners: readonly { readonly uid: FunctionUid; readonly owner: FunctionOwner }[];
}

export class EndpointReplica {
  readonly #entries = new Map<SandboxId, Entry>();
  readonly #owners = new Map<FunctionUid, FunctionOwner>();
  readonly #confirmedOwners = new Map<FunctionUid, FunctionOwner>();
  /** Entries of each function, and how many each worker has. */
  readonly #functions = new Map<FunctionUid, Set<SandboxId>>();
  readonly #workers = new Map<WorkerId, number>();
  #digest = new RunningDigest();
  #confirmed = 0;
  #reign: Reign = newReign();
  #fence: Fence = NO_FENCE;
  #seq = 0;

  /** From the table file: everything serves, nothing is confirmed. */
  static restore(saved: SavedTable, nowMs: number): EndpointReplica {
    const table = new EndpointReplica();
    table.#fence = saved.fence;
    // The seq of an earlier life says nothing about what was missed since.
    table.#seq = -1;
    const earlier: Reign = { endedMs: nowMs };
    for (const endpoint of saved.endpoints) table.#set({ endpoint, reign: earlier, refused: false });
    for (const { uid, owner } of saved.owners) table.#owners.set(uid, owner);
    return table;
  }

  save(): SavedTable {
    return {
      fence: this.#fence,
      endpoints: this.endpoints(),
      owners: Array.from(this.#owners, ([uid, owner]) => ({ uid, owner })),
    };
  }

  get fence(): Fence {
    return this.#fence;
  }

  /** Of the last batch or snapshot applied under `fence`. */
  get seq(): number {
    return Math.max(0, this.#seq);
  }

  get size(): number {
    return this.#entries.size;
  }

  get unconfirmed(): number {
    return this.#entries.size - this.#confirmed;
  }

  digest(): TableDigest {
    return this.#digest.value();
  }

  endpoints(): Endpoint[] {
    return Array.from(this.#entries.values(), (entry) => entry.endpoint);
  }

  /** Those that the leader of the highest fence has not confirmed. */
  unconfirmedEndpoints(): Endpoint[] {
    const unconfirmed: Endpoint[] = [];
    for (const { reign, endpoint } of this.#entries.values())
      if (reign !== this.#reign) unconfirmed.push(endpoint);
    return unconfirmed;
  }

  /** The same, of one function. */
  unconfirmedOf(uid: FunctionUid): Endpoint[] {
    const unconfirmed: Endpoint[] = [];
    for (const sandbox of this.#functions.get(uid) ?? []) {
      const entry = this.#entries.get(sandbox);
      if (entry !== undefined && entry.reign !== this.#reign) unconfirmed.push(entry.endpoint);
    }
    return unconfirmed;
  }

  /** Those that have endpoints here, confirmed or not. */
  workers(): WorkerId[] {
    return [...this.#workers.keys()];
  }

  get(sandbox: SandboxId): Endpoint | undefined {
    return this.#entries.get(sandbox)?.endpoint;
  }

  owner(uid: FunctionUid): FunctionOwner | undefined {
    return this.#owners.get(uid);
  }

  onBatch(batch: EndpointBatch, nowMs: number): TableUpdate {
    const order = compareFence(batch.fence, this.#fence);
    if (order < 0) return { ...NOTHING, fenced: true };
    const newFence = order > 0;
    if (newFence) this.#adopt(batch.fence, nowMs);
    if (batch.seq <= this.#seq) return { ...NOTHING, newFence };
    if (batch.seq > this.#seq + 1) return { ...NOTHING, newFence, pull: true };
    this.#seq = batch.seq;
    const changes: EndpointChange[] = [];
    for (const change of batch.changes) this.#apply(change, changes);
    return { changes, pull: false, newFence, fenced: false };
  }

  onBeacon(beacon: Beacon, nowMs: number): TableUpdate {
    const order = compareFence(beacon.fence, this.#fence);
    if (order < 0) return { ...NOTHING, fenced: true };
    const newFence = order > 0;
    if (newFence) this.#adopt(beacon.fence, nowMs);
    const own = this.#digest.value();
    const behind = beacon.endpointSeq > this.#seq;
    const differs =
      beacon.endpointSeq === this.#seq && (own.high !== beacon.digest.high || own.low !== beacon.digest.low);
    const isUnconfirmed = this.unconfirmed > 0 || this.#confirmedOwners.size < this.#owners.size;
    const unswept = beacon.complete && isUnconfirmed && beacon.endpointSeq >= this.#seq;
    return { ...NOTHING, newFence, pull: behind || differs || unswept || this.#seq < 0 };
  }

  onSnapshot(snapshot: EndpointSnapshot, nowMs: number): TableUpdate {
    const order = compareFence(snapshot.fence, this.#fence);
    if (order < 0) return { ...NOTHING, fenced: true };
    const newFence = order > 0;
    if (newFence) this.#adopt(snapshot.fence, nowMs);
    // Older than what was applied meanwhile: the next beacon tells whether anything is still missing.
    if (snapshot.seq < this.#seq) return { ...NOTHING, newFence };
    this.#seq = snapshot.seq;
    const changes: EndpointChange[] = [];
    if (snapshot.complete) this.#removeWhatLacks(snapshot, changes);
    for (const { sandbox, uid } of snapshot.withdrawn) this.#remove(sandbox, uid, changes);
    for (const { uid, owner } of snapshot.owners) this.#apply({ kind: 'owner', uid, owner }, changes);
    for (const endpoint of snapshot.endpoints) this.#apply({ kind: 'put', endpoint }, changes);
    return { changes, pull: false, newFence, fenced: false };
  }

  #removeWhatLacks(snapshot: EndpointSnapshot, changes: EndpointChange[]): void {
    const kept = new Set(snapshot.endpoints.map((endpoint) => endpoint.sandbox));
    for (const [sandbox, { endpoint }] of this.#entries) {
      if (!kept.has(sandbox)) this.#remove(sandbox, endpoint.uid, changes);
    }
    const owned = new Set(snapshot.owners.map(({ uid }) => uid));
    for (const uid of [...this.#owners.keys()]) if (!owned.has(uid)) this.#setOwner(uid, undefined, changes);
  }

  /** T2. Owners stay in force too, and count towards the digest again once they are put again. */
  #adopt(fence: Fence, nowMs: number): void {
    this.#fence = fence;
    this.#seq = 0;
    this.#reign.endedMs = nowMs;
    this.#reign = newReign();
    this.#confirmed = 0;
    this.#digest = new RunningDigest();
    this.#confirmedOwners.clear();
  }

  #set(entry: Entry): void {
    const { sandbox, worker, uid } = entry.endpoint;
    const before = this.#entries.get(sandbox)?.endpoint;
    this.#entries.set(sandbox, entry);
    if (before?.worker === worker && before.uid === uid) return;
    if (before !== undefined) this.#unlist(before);
    const same = this.#functions.get(uid);
    if (same === undefined) this.#functions.set(uid, new Set([sandbox]));
    else same.add(sandbox);
    this.#workers.set(worker, (this.#workers.get(worker) ?? 0) + 1);
  }

  #unlist({ sandbox, worker, uid }: Endpoint): void {
    const same = this.#functions.get(uid);
    same?.delete(sandbox);
    if (same?.size === 0) this.#functions.delete(uid);
    const left = (this.#workers.get(worker) ?? 0) - 1;
    if (left > 0) this.#workers.set(worker, left);
    else this.#workers.delete(worker);
  }

  #apply(change: EndpointChange, changes: EndpointChange[]): void {
    if (change.kind === 'withdraw') return this.#remove(change.sandbox, change.uid, changes);
    if (change.kind === 'owner') return this.#setOwner(change.uid, change.owner, changes);
    const { endpoint } = change;
    const before = this.#entries.get(endpoint.sandbox);
    if (before?.reign === this.#reign) {
      this.#digest.removeEndpoint(before.endpoint);
      this.#confirmed--;
    }
    this.#set({ endpoint, reign: this.#reign, refused: false });
    this.#digest.addEndpoint(endpoint);
    this.#confirmed++;
    if (before === undefined || before.refused || !sameEndpoint(before.endpoint, endpoint))
      changes.push(change);
  }

  #remove(sandbox: SandboxId, uid: FunctionUid, changes: EndpointChange[]): void {
    const entry = this.#entries.get(sandbox);
    if (entry === undefined) return;
    if (entry.reign === this.#reign) {
      this.#digest.removeEndpoint(entry.endpoint);
      this.#confirmed--;
    }
    this.#entries.delete(sandbox);
    this.#unlist(entry.endpoint);
    changes.push({ kind: 'withdraw', sandbox, uid });
  }

  #setOwner(uid: FunctionUid, owner: FunctionOwner | undefined, changes: EndpointChange[]): void {
    const confirmed = this.#confirmedOwners.get(uid);
    if (confirmed !== undefined) this.#digest.removeOwner(uid, confirmed);
    if (owner === undefined) {
      this.#owners.delete(uid);
      this.#confirmedOwners.delete(uid);
    } else {
      this.#owners.set(uid, owner);
      this.#confirmedOwners.set(uid, owner);
      this.#digest.addOwner(uid, owner);
    }
    changes.push({ kind: 'owner', uid, owner });
  }

  /** T4. False when there is no such entry. */
  refuse(sandbox: SandboxId): boolean {
    const entry = this.#entries.get(sandbox);
    if (entry === undefined) return false;
    entry.refused = true;
    return true;
  }

  /** T3: call now and then. */
  expire(nowMs: number): TableUpdate {
    if (this.unconfirmed === 0) return NOTHING;
    const changes: EndpointChange[] = [];
    for (const [sandbox, entry] of this.#entries) {
      const isOld = nowMs - entry.reign.endedMs > UNCONFIRMED_TCP_MS;
      if (isOld && entry.endpoint.address.startsWith('tcp:'))
        this.#remove(sandbox, entry.endpoint.uid, changes);
    }
    return changes.length === 0 ? NOTHING : { ...NOTHING, changes };
  }
}

function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return (
    a.uid === b.uid &&
    a.generation === b.generation &&
    a.specIndex === b.specIndex &&
    a.worker === b.worker &&
    a.address === b.address &&
    isSameOwner(a.owner, b.owner)
  );
}
