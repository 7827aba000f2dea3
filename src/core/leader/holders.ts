/** Which workers hold an artifact unpacked: a placement that prefers them walks them, and not the fleet. */
import type { Digest } from '../../lib/ids.ts';

/** A worker as its artifacts see it; the set is another one when they change. */
export interface Holder {
  readonly view: { readonly artifacts: ReadonlySet<Digest> };
}

const NOBODY: readonly never[] = [];
const NOTHING: ReadonlySet<never> = new Set();

export class Holders<Worker extends Holder> {
  readonly #byDigest = new Map<Digest, Roster<Worker>>();
  /** As indexed. */
  readonly #known = new Map<Worker, ReadonlySet<Digest>>();

  of(digest: Digest): readonly Worker[] {
    return this.#byDigest.get(digest)?.list ?? NOBODY;
  }

  /** To be called when a worker's view may have changed; costs nothing where its artifacts have not. */
  update(worker: Worker): void {
    const now = worker.view.artifacts;
    const before = this.#known.get(worker) ?? NOTHING;
    if (now === before || now.size + before.size === 0) return;
    for (const digest of before) if (!now.has(digest)) this.#drop(digest, worker);
    for (const digest of now) if (!before.has(digest)) this.#add(digest, worker);
    if (now.size === 0) this.#known.delete(worker);
    else this.#known.set(worker, now);
  }

  #add(digest: Digest, worker: Worker): void {
    let roster = this.#byDigest.get(digest);
    if (roster === undefined) this.#byDigest.set(digest, (roster = new Roster()));
    roster.add(worker);
  }

  #drop(digest: Digest, worker: Worker): void {
    const roster = this.#byDigest.get(digest);
    roster?.delete(worker);
    if (roster?.list.length === 0) this.#byDigest.delete(digest);
  }
}

/** A list to walk from anywhere, out of which anything goes at the same cost: the last takes its place. */
class Roster<T> {
  readonly list: T[] = [];
  readonly #at = new Map<T, number>();

  add(item: T): void {
    this.#at.set(item, this.list.length);
    this.list.push(item);
  }

  delete(item: T): void {
    const at = this.#at.get(item);
    const last = this.list.pop();
    if (at === undefined || last === undefined) return;
    this.#at.delete(item);
    if (last === item) return;
    this.list[at] = last;
    this.#at.set(last, at);
  }
}
