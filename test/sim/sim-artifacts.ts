/** Artifacts of a simulated replica, and how replicas hand them to one another. */
import type { Digest } from '../../src/lib/ids.ts';
import { BatonError } from '../../src/lib/errors.ts';
import type { ArtifactStore, StoredArtifact } from '../../src/ports/artifact-store.ts';
import type { ArtifactPeers } from '../../src/ports/artifact-peers.ts';
import type { SimDisk } from './sim-disk.ts';

export class SimArtifactStore implements ArtifactStore {
  readonly #disk: SimDisk;

  constructor(disk: SimDisk) {
    this.#disk = disk;
  }

  async put(content: AsyncIterable<Uint8Array>, expected?: Digest): Promise<StoredArtifact> {
    let bytes = 0;
    for await (const chunk of content) bytes += chunk.length;
    if (expected === undefined) throw new BatonError('invalid-argument', 'the simulator names its artifacts');
    const stored = { digest: expected, bytes };
    this.#disk.artifacts.set(expected, stored);
    return stored;
  }

  has(digest: Digest): boolean {
    return this.#disk.artifacts.has(digest);
  }

  async *read(digest: Digest): AsyncGenerator<Uint8Array> {
    if (!this.has(digest)) throw new BatonError('not-found', 'no such artifact');
    yield new Uint8Array(1);
  }

  list(): readonly StoredArtifact[] {
    return [...this.#disk.artifacts.values()];
  }

  remove(digest: Digest): Promise<void> {
    this.#disk.artifacts.delete(digest);
    return Promise.resolve();
  }
}

/** HTTP between replicas, as far as artifacts need it. */
export class SimArtifactPeers implements ArtifactPeers {
  readonly #disks: ReadonlyMap<string, SimDisk>;
  readonly #reachable: (http: string) => boolean;

  constructor(disks: ReadonlyMap<string, SimDisk>, reachable: (http: string) => boolean) {
    this.#disks = disks;
    this.#reachable = reachable;
  }

  async *fetch(fromHttp: string, digest: Digest): AsyncGenerator<Uint8Array> {
    const disk = this.#disks.get(fromHttp);
    if (disk === undefined || !this.#reachable(fromHttp)) throw new BatonError('disconnected', 'no answer');
    if (!disk.artifacts.has(digest)) throw new BatonError('not-found', 'this replica does not hold it');
    yield await Promise.resolve(new Uint8Array(1));
  }

  askToHold(replicaHttp: string, digest: Digest): Promise<void> {
    const disk = this.#disks.get(replicaHttp);
    if (disk === undefined || !this.#reachable(replicaHttp))
      return Promise.reject(new BatonError('disconnected', 'no answer'));
    disk.artifacts.set(digest, { digest, bytes: 1 });
    return Promise.resolve();
  }

  askToReplicate(leaderHttp: string, digest: Digest): Promise<void> {
    return this.askToHold(leaderHttp, digest);
  }
}
