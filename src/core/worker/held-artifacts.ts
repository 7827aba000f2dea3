/**
 * The artifacts that a worker holds unpacked, as far as it reports them: those used last, up to a bound. A leader that misses
 * one only places a little worse.
 */
import type { Digest } from '../../lib/ids.ts';
import { limits } from '../../lib/limits.ts';

export interface ArtifactChanges {
  readonly added: readonly Digest[];
  readonly removed: readonly Digest[];
}

export const NO_ARTIFACT_CHANGES: ArtifactChanges = { added: [], removed: [] };

export class HeldArtifacts {
  /** Used longest ago first. */
  readonly #held: Set<Digest>;
  /** What became of those that changed since the last report. */
  #unsent = new Map<Digest, 'added' | 'removed'>();

  /** @param held those used last at the end */
  constructor(held: readonly Digest[]) {
    this.#held = new Set(held.slice(-limits.artifactsPerWorker));
  }

  get list(): readonly Digest[] {
    return [...this.#held];
  }

  /** @returns whether there is something to report */
  use(digest: Digest): boolean {
    const isNew = !this.#held.delete(digest);
    this.#held.add(digest);
    if (!isNew) return false;
    this.#unsent.set(digest, 'added');
    const [oldest] = this.#held;
    if (this.#held.size > limits.artifactsPerWorker && oldest !== undefined) this.drop(oldest);
    return true;
  }

  /** @returns whether there is something to report */
  drop(digest: Digest): boolean {
    if (!this.#held.delete(digest)) return false;
    this.#unsent.set(digest, 'removed');
    return true;
  }

  /** Since the last time that they were taken, or all was told. */
  takeChanges(): ArtifactChanges {
    if (this.#unsent.size === 0) return NO_ARTIFACT_CHANGES;
    const changes = [...this.#unsent];
    this.#unsent = new Map();
    const those = (became: 'added' | 'removed'): Digest[] =>
      changes.filter(([, how]) => how === became).map(([digest]) => digest);
    return { added: those('added'), removed: those('removed') };
  }
}
