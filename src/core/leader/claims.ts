/**
 * What workers claim to run of a function before their inventories are here, by function: a decision about one function walks
 * those that claim it, and not the fleet.
 */
import type { FunctionUid } from '../../lib/ids.ts';
import type { FunctionCounts } from '../model/worker-report.ts';

/** A worker as its claims see it. */
export interface Claimant {
  readonly view: { readonly hasInventory: boolean; readonly counts: readonly FunctionCounts[] };
}

const NOBODY: ReadonlySet<never> = new Set();
const NOTHING: readonly FunctionCounts[] = [];

export class Claims<Worker extends Claimant> {
  readonly #claimants = new Map<FunctionUid, Set<Worker>>();
  /** As indexed. */
  readonly #counts = new Map<Worker, readonly FunctionCounts[]>();

  /** Those that claim to run it, in any generation, and have not shown what. */
  of(uid: FunctionUid): ReadonlySet<Worker> {
    return this.#claimants.get(uid) ?? NOBODY;
  }

  /** To be called when a worker's view may have changed; costs nothing where its claims have not. */
  update(worker: Worker): void {
    const { hasInventory, counts } = worker.view;
    const now = hasInventory ? NOTHING : counts;
    const before = this.#counts.get(worker) ?? NOTHING;
    if (now === before || now.length + before.length === 0) return;
    for (const { uid } of before) this.#drop(uid, worker);
    for (const { uid } of now) this.#add(uid, worker);
    if (now.length === 0) this.#counts.delete(worker);
    else this.#counts.set(worker, now);
  }

  #add(uid: FunctionUid, worker: Worker): void {
    const claimants = this.#claimants.get(uid);
    if (claimants === undefined) this.#claimants.set(uid, new Set([worker]));
    else claimants.add(worker);
  }

  #drop(uid: FunctionUid, worker: Worker): void {
    const claimants = this.#claimants.get(uid);
    claimants?.delete(worker);
    if (claimants?.size === 0) this.#claimants.delete(uid);
  }
}
