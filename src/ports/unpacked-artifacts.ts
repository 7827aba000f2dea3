/** Artifacts as a worker needs them: fetched once, verified, unpacked, read-only. */
import type { Digest } from '../lib/ids.ts';

export interface UnpackedArtifacts {
  /** What is here unpacked, last unpacked last. */
  held(): readonly Digest[];
  /**
   * The directory with the artifact's files; concurrent calls for one digest share the work.
   * @param sources base URLs of replicas, tried in turn
   * @throws BatonError `not-found`, `disconnected`, `damaged`, `io`
   */
  ensure(digest: Digest, sources: readonly string[]): Promise<string>;
  forget(digest: Digest): Promise<void>;
}
