/** What clients asked to be registered or deleted, and what they were told. */
import type { DataPlaneId } from '../../../src/lib/ids.ts';

export interface Mutation {
  readonly name: string;
  /** Of the specification; empty for a deletion. */
  readonly version: string;
  readonly beganMs: number;
  /** `refused`: it has not taken effect and never will. `unknown`: one or the other. */
  outcome: 'pending' | 'acknowledged' | 'refused' | 'unknown';
  acknowledgedMs: number;
  /** When it is acknowledged: where in the log it is. */
  specIndex: number;
  /** The lives of data planes that hold it from then on. */
  holders: ReadonlyMap<DataPlaneId, number>;
}

export class Mutations {
  readonly list: Mutation[] = [];

  begin(name: string, version: string, beganMs: number): Mutation {
    const mutation: Mutation = {
      name,
      version,
      beganMs,
      outcome: 'pending',
      acknowledgedMs: Number.POSITIVE_INFINITY,
      specIndex: 0,
      holders: new Map(),
    };
    this.list.push(mutation);
    return mutation;
  }

  get open(): number {
    return this.list.filter(({ outcome }) => outcome === 'pending').length;
  }

  /** The last mutation of a name that had been acknowledged by then. */
  acknowledgedBy(name: string, ms: number): Mutation | undefined {
    let last: Mutation | undefined;
    for (const mutation of this.list)
      if (
        mutation.name === name &&
        mutation.acknowledgedMs <= ms &&
        mutation.specIndex > (last?.specIndex ?? 0)
      )
        last = mutation;
    return last;
  }

  /** R5. Whether a request that came then may hear that there is no such function. */
  mayBeUnknown(name: string, beganMs: number): boolean {
    const last = this.acknowledgedBy(name, beganMs);
    if (last === undefined || last.version === '') return true;
    // One that was still under way when the request came, or began after it, may have taken it away.
    return this.list.some(
      (one) =>
        one.name === name && one.version === '' && one.outcome !== 'refused' && one.acknowledgedMs > beganMs,
    );
  }

  /** R5. @returns what may be registered under this name now: versions, or the empty one for nothing */
  possible(name: string): ReadonlySet<string> {
    const all = this.list.filter((mutation) => mutation.name === name);
    const last = this.acknowledgedBy(name, Number.MAX_VALUE);
    const unknown = all.filter(({ outcome }) => outcome === 'unknown' || outcome === 'pending');
    return new Set([last?.version ?? '', ...unknown.map(({ version }) => version)]);
  }
}
