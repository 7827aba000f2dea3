/**
 * A data plane's copy of the function specifications.
 *
 * Invariants:
 * - S1 a batch is applied only on top of the index that it names, under the highest fence seen; anything else asks for a
 *   snapshot or is ignored;
 * - S2 per function the record with the highest index wins, so that what a lookup brought early is not undone by an older
 *   batch, and what a batch deleted is not brought back by an older lookup;
 * - S3 nothing is ever taken out for being unknown to a lookup: only a batch or a snapshot deletes.
 */
import type { FunctionName, FunctionUid } from '../../lib/ids.ts';
import type { SpecBatch, SpecSnapshot } from '../model/broadcast.ts';
import type { LookupReply } from '../model/data-plane-report.ts';
import { compareFence, type Fence, NO_FENCE } from '../model/fence.ts';
import type { FunctionRecord } from '../model/function.ts';

export interface SpecUpdate {
  readonly put: readonly FunctionRecord[];
  readonly deleted: readonly FunctionUid[];
  readonly pull: boolean;
  /** The message was under a lower fence. */
  readonly fenced: boolean;
}

const NOTHING: SpecUpdate = { put: [], deleted: [], pull: false, fenced: false };

export class SpecReplica {
  readonly #byUid = new Map<FunctionUid, FunctionRecord>();
  readonly #byName = new Map<FunctionName, FunctionUid>();
  #fence: Fence = NO_FENCE;
  #specIndex = 0;
  #synced = false;

  /** Everything up to here is in the table. */
  get specIndex(): number {
    return this.#specIndex;
  }

  get fence(): Fence {
    return this.#fence;
  }

  /** A snapshot, or the table file, has been taken in. */
  get synced(): boolean {
    return this.#synced;
  }

  get size(): number {
    return this.#byUid.size;
  }

  find(name: FunctionName): FunctionRecord | undefined {
    const uid = this.#byName.get(name);
    return uid === undefined ? undefined : this.#byUid.get(uid);
  }

  get(uid: FunctionUid): FunctionRecord | undefined {
    return this.#byUid.get(uid);
  }

  save(): SpecSnapshot {
    return { fence: this.#fence, specIndex: this.#specIndex, functions: [...this.#byUid.values()] };
  }

  /** Only the index: the table is behind, or of another epoch, and a snapshot must be pulled. */
  onBeacon(fence: Fence, specIndex: number): SpecUpdate {
    const order = this.#see(fence);
    if (order === 'lower') return { ...NOTHING, fenced: true };
    return { ...NOTHING, pull: !this.#synced || specIndex > this.#specIndex };
  }

  onBatch(batch: SpecBatch): SpecUpdate {
    const order = this.#see(batch.fence);
    if (order === 'lower') return { ...NOTHING, fenced: true };
    if (!this.#synced) return { ...NOTHING, pull: true };
    if (batch.specIndex <= this.#specIndex) return NOTHING;
    if (batch.prevSpecIndex !== this.#specIndex) return { ...NOTHING, pull: true };
    this.#specIndex = batch.specIndex;
    const deleted = batch.deleted.filter((uid) => this.#remove(uid));
    const put = batch.put.filter((record) => this.#put(record));
    return { put, deleted, pull: false, fenced: false };
  }

  onSnapshot(snapshot: SpecSnapshot): SpecUpdate {
    const order = this.#see(snapshot.fence);
    if (order === 'lower') return { ...NOTHING, fenced: true };
    if (this.#synced && snapshot.specIndex < this.#specIndex) return NOTHING;
    this.#synced = true;
    this.#specIndex = snapshot.specIndex;
    const kept = new Set(snapshot.functions.map((record) => record.uid));
    const deleted: FunctionUid[] = [];
    for (const record of this.#byUid.values()) {
      // What a lookup brought from beyond the snapshot stays (S2).
      if (kept.has(record.uid) || record.specIndex > snapshot.specIndex) continue;
      deleted.push(record.uid);
    }
    for (const uid of deleted) this.#remove(uid);
    const put = snapshot.functions.filter((record) => this.#put(record));
    return { put, deleted, pull: false, fenced: false };
  }

  /**
   * What the leader answered about one name.
   * @returns the record to use now; undefined is the leader's word that there is none
   */
  onLookup(reply: LookupReply): { readonly record: FunctionRecord | undefined; readonly update: SpecUpdate } {
    const { record } = reply;
    if (this.#see(reply.fence) === 'lower')
      return { record: undefined, update: { ...NOTHING, fenced: true } };
    if (record === undefined) return { record: undefined, update: NOTHING };
    // Its last change is within what this table reflects: the table knows better, also when it knows of a deletion.
    if (this.#synced && record.specIndex <= this.#specIndex) {
      return { record: this.#byUid.get(record.uid), update: NOTHING };
    }
    const put = this.#put(record) ? [record] : [];
    return { record: this.#byUid.get(record.uid), update: { ...NOTHING, put } };
  }

  /** A higher epoch may have gone back in the log: what this table holds serves on, and is replaced by a snapshot. */
  #see(fence: Fence): 'lower' | 'same' | 'higher' {
    const order = compareFence(fence, this.#fence);
    if (order < 0) return 'lower';
    if (order === 0) return 'same';
    if (fence.epoch > this.#fence.epoch && this.#fence.epoch > 0) {
      this.#synced = false;
      this.#specIndex = 0;
    }
    this.#fence = fence;
    return 'higher';
  }

  #put(record: FunctionRecord): boolean {
    const known = this.#byUid.get(record.uid);
    if (known !== undefined && known.specIndex >= record.specIndex) return false;
    this.#byUid.set(record.uid, record);
    const namesake = this.#byName.get(record.spec.name);
    // A name that was reused belongs to the later function.
    if (namesake === undefined || namesake <= record.uid) this.#byName.set(record.spec.name, record.uid);
    return true;
  }

  #remove(uid: FunctionUid): boolean {
    const record = this.#byUid.get(uid);
    if (record === undefined) return false;
    this.#byUid.delete(uid);
    if (this.#byName.get(record.spec.name) === uid) this.#byName.delete(record.spec.name);
    return true;
  }
}
