/** Moving artifacts between replicas, over HTTP with the replica token (DESIGN, "What is replicated"). */
import type { Digest } from '../lib/ids.ts';

/** What workers have too. */
export interface ArtifactSource {
  /** Streams an artifact from a replica. Rejects with `not-found`, `unauthorized`, `disconnected` or `timeout`. */
  fetch(fromHttp: string, digest: Digest): AsyncIterable<Uint8Array>;
}

export interface ArtifactPeers extends ArtifactSource {
  /**
   * Asks a replica to hold the artifact, pulling it from `sourceHttp` if it must; resolves when it answered "fsynced".
   * @param timeoutMs bound of the whole call
   */
  askToHold(replicaHttp: string, digest: Digest, sourceHttp: string, timeoutMs: number): Promise<void>;
  /** Asks the leader to make a majority hold the artifact; resolves when a majority, the leader included, does. */
  askToReplicate(leaderHttp: string, digest: Digest, sourceHttp: string, timeoutMs: number): Promise<void>;
}
