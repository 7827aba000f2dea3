/** Content-addressed files of one replica (durable) or of one worker (a cache). */
import type { Digest } from '../lib/ids.ts';

export interface StoredArtifact {
  readonly digest: Digest;
  readonly bytes: number;
}

export interface ArtifactStore {
  /**
   * Streams into a temporary file, verifies, fsyncs, renames, fsyncs the folder; resolves when it is durable.
   * @param expected when given, another digest is refused with `invalid-argument`
   * @throws BatonError `too-large`, `invalid-argument`, `io`
   */
  put(content: AsyncIterable<Uint8Array>, expected?: Digest): Promise<StoredArtifact>;
  has(digest: Digest): boolean;
  /** @throws BatonError `not-found` or `damaged` */
  read(digest: Digest): AsyncIterable<Uint8Array>;
  list(): readonly StoredArtifact[];
  remove(digest: Digest): Promise<void>;
}
