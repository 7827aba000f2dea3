/**
 * Artifacts beside the log: an artifact is acknowledged when a majority of replicas, the leader included, holds it durably,
 * and only then may a registration name it (DESIGN, "What is replicated, exactly").
 *
 *   A1  nothing is proposed that names an artifact which fewer than a majority hold;
 *   A2  a replica takes an artifact only with a matching SHA-256, fsynced, under its final name;
 *   A3  an artifact is removed only when no function names it and nobody has touched it for an hour.
 */
import { BatonError, explain } from '../lib/errors.ts';
import type { Digest, ReplicaId } from '../lib/ids.ts';
import type { ArtifactPeers } from '../ports/artifact-peers.ts';
import type { ArtifactStore, StoredArtifact } from '../ports/artifact-store.ts';
import type { Clock, Logger, Timer } from '../ports/system.ts';

export interface Member {
  readonly id: ReplicaId;
  /** Base URL, "http://host:port". */
  readonly http: string;
}

export interface ArtifactsOptions {
  readonly self: Member;
  readonly members: readonly Member[];
  readonly pullTimeoutMs: number;
  readonly keepUnnamedMs: number;
  readonly sweepEveryMs: number;
}

export interface ArtifactsPorts {
  readonly clock: Clock;
  readonly store: ArtifactStore;
  readonly peers: ArtifactPeers;
  readonly logger: Logger;
}

export class Artifacts {
  readonly #options: ArtifactsOptions;
  readonly #ports: ArtifactsPorts;
  readonly #named: () => ReadonlySet<Digest>;
  /** One pull per digest at a time, however many ask for it. */
  readonly #pulls = new Map<Digest, Promise<void>>();
  #sweepTimer: Timer | undefined;

  /** @param named the digests that the applied state names */
  constructor(options: ArtifactsOptions, ports: ArtifactsPorts, named: () => ReadonlySet<Digest>) {
    this.#options = options;
    this.#ports = ports;
    this.#named = named;
  }

  start(): void {
    this.#sweepTimer = this.#ports.clock.after(this.#options.sweepEveryMs, () => {
      void this.#sweep().finally(() => this.start());
    });
  }

  stop(): void {
    this.#sweepTimer?.cancel();
  }

  has(digest: Digest): boolean {
    return this.#ports.store.has(digest);
  }

  read(digest: Digest): AsyncIterable<Uint8Array> {
    return this.#ports.store.read(digest);
  }

  put(content: AsyncIterable<Uint8Array>, expected?: Digest): Promise<StoredArtifact> {
    return this.#ports.store.put(content, expected);
  }

  /** Holds the artifact durably, pulling it from `sourceHttp` when it is not here (A2). */
  async hold(digest: Digest, sourceHttp: string): Promise<void> {
    if (this.#ports.store.has(digest)) return;
    const running = this.#pulls.get(digest);
    if (running !== undefined) return running;
    const pull = this.#ports.store
      .put(this.#ports.peers.fetch(sourceHttp, digest), digest)
      .then(() => undefined)
      .finally(() => this.#pulls.delete(digest));
    this.#pulls.set(digest, pull);
    return pull;
  }

  /** Holds whatever is missing of these, from whichever member has it; resolves with what nobody could give. */
  async holdAll(digests: Iterable<Digest>): Promise<readonly Digest[]> {
    const missing: Digest[] = [];
    for (const digest of digests) {
      if (!(await this.#holdFromAny(digest))) missing.push(digest);
    }
    return missing;
  }

  async #holdFromAny(digest: Digest): Promise<boolean> {
    for (const member of this.#options.members) {
      if (this.#ports.store.has(digest)) return true;
      if (member.id === this.#options.self.id) continue;
      try {
        await this.hold(digest, member.http);
      } catch (error) {
        this.#ports.logger.debug({ digest, member: member.id, error: explain(error) }, 'artifact not pulled');
      }
    }
    return this.#ports.store.has(digest);
  }

  /**
   * On the leader: resolves when a majority, itself included, holds the artifact; the others go on in the background (A1).
   * @throws BatonError `no-quorum` whose `fields.missing` names the replicas that did not answer
   */
  async replicate(digest: Digest, sourceHttp: string): Promise<void> {
    const { self, members, pullTimeoutMs } = this.#options;
    await this.hold(digest, sourceHttp);
    const needed = Math.floor(members.length / 2);
    if (needed === 0) return;
    const others = members.filter((member) => member.id !== self.id);
    await new Promise<void>((resolve, reject) => {
      const failed: { member: Member; error: unknown }[] = [];
      let held = 0;
      for (const member of others) {
        this.#ports.peers.askToHold(member.http, digest, self.http, pullTimeoutMs).then(
          () => {
            held++;
            if (held === needed) resolve();
            return undefined;
          },
          (error: unknown) => {
            failed.push({ member, error });
            if (failed.length > others.length - needed) reject(tooFew(failed));
          },
        );
      }
    });
  }

  async #sweep(): Promise<void> {
    const named = this.#named();
    const before = this.#ports.clock.wall() - this.#options.keepUnnamedMs;
    for (const artifact of this.#ports.store.list()) {
      if (named.has(artifact.digest) || artifact.touchedMs > before) continue;
      try {
        await this.#ports.store.remove(artifact.digest);
        this.#ports.logger.info({ digest: artifact.digest }, 'artifact removed: no function names it');
      } catch (error) {
        this.#ports.logger.warn({ digest: artifact.digest, error: explain(error) }, 'artifact not removed');
      }
    }
  }
}

function tooFew(failed: readonly { member: Member; error: unknown }[]): BatonError {
  const missing = failed.map(({ member }) => member.id);
  return new BatonError(
    'no-quorum',
    `the artifact is not on a majority: no answer from ${missing.join(', ')}`,
    {
      fields: { missing },
      hint: 'start the missing replicas (baton status names them) and deploy again',
      cause: failed[0]?.error,
    },
  );
}
