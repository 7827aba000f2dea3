/**
 * Artifacts beside the log: an artifact is acknowledged when a majority of replicas, the leader included, holds it durably,
 * and only then may a registration name it (DESIGN, "What is replicated, exactly").
 *
 *   A1  nothing is proposed that names an artifact which fewer than a majority hold;
 *   A2  a replica takes an artifact only with a matching SHA-256, fsynced, under its final name;
 *   A3  an artifact is removed only when for an hour no function has named it and nobody has stored it or asked for it. What
 *       happened before this process began counts as just now: a majority that was counted a moment ago stays one.
 */
import { assert } from '../lib/assert.ts';
import { BatonError, explain, isBatonError } from '../lib/errors.ts';
import type { Digest, ReplicaId } from '../lib/ids.ts';
import type { ArtifactPeers } from '../ports/artifact-peers.ts';
import type { ArtifactStore, StoredArtifact } from '../ports/artifact-store.ts';
import type { Clock, Logger, Timer } from '../ports/system.ts';
import { ArtifactConfirmations, type ConfirmationLimits } from './artifact-confirmations.ts';

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
  readonly confirmations: ConfirmationLimits;
}

/** What an artifact is judged by. */
export interface ArtifactsView {
  /** The digests that the applied state names. */
  readonly named: () => ReadonlySet<Digest>;
  readonly isNamed: (digest: Digest) => boolean;
  readonly term: () => number;
}

export interface ArtifactsPorts {
  readonly clock: Clock;
  readonly store: ArtifactStore;
  readonly peers: ArtifactPeers;
  readonly logger: Logger;
}

interface Failure {
  readonly member: Member;
  readonly error: unknown;
}

export class Artifacts {
  readonly #options: ArtifactsOptions;
  readonly #ports: ArtifactsPorts;
  readonly #view: ArtifactsView;
  readonly #confirmations: ArtifactConfirmations;
  /** One pull per digest at a time, however many ask for it. */
  readonly #pulls = new Map<Digest, Promise<void>>();
  /** A3, monotonic ms; of what is stored here alone. */
  readonly #touchedMs = new Map<Digest, number>();
  readonly #bornMs: number;
  #sweepTimer: Timer | undefined;

  constructor(options: ArtifactsOptions, ports: ArtifactsPorts, view: ArtifactsView) {
    assert(
      options.confirmations.keepMs + options.sweepEveryMs < options.keepUnnamedMs,
      'what is believed to be on a majority is not swept there',
    );
    this.#options = options;
    this.#ports = ports;
    this.#view = view;
    this.#confirmations = new ArtifactConfirmations(options.confirmations);
    this.#bornMs = ports.clock.now();
  }

  start(): void {
    this.#sweepTimer = this.#ports.clock.after(this.#options.sweepEveryMs, () => {
      void this.#sweep().finally(() => this.start());
    });
  }

  #touch(digest: Digest): void {
    this.#touchedMs.set(digest, this.#ports.clock.now());
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

  async put(content: AsyncIterable<Uint8Array>, expected?: Digest): Promise<StoredArtifact> {
    const stored = await this.#ports.store.put(content, expected);
    this.#touch(stored.digest);
    return stored;
  }

  /** Holds the artifact durably, pulling it from `sourceHttp` when it is not here (A2). */
  async hold(digest: Digest, sourceHttp: string): Promise<void> {
    this.#touch(digest);
    if (this.#ports.store.has(digest)) return;
    const running = this.#pulls.get(digest);
    if (running !== undefined) return running;
    const pull = this.put(this.#ports.peers.fetch(sourceHttp, digest), digest)
      .then(() => undefined)
      .finally(() => this.#pulls.delete(digest));
    this.#pulls.set(digest, pull);
    return pull;
  }

  /** Holds whatever is missing of these, from whichever member has it; resolves with what nobody could give. */
  async holdAll(digests: Iterable<Digest>): Promise<readonly Digest[]> {
    const missing: Digest[] = [];
    for (const digest of digests) {
      await this.#holdFromAny(digest);
      if (!this.#ports.store.has(digest)) missing.push(digest);
    }
    return missing;
  }

  /** Until somebody has given it. @returns the members that could not */
  async #holdFromAny(digest: Digest): Promise<readonly Failure[]> {
    const failed: Failure[] = [];
    for (const member of this.#options.members) {
      if (this.#ports.store.has(digest)) break;
      if (member.id === this.#options.self.id) continue;
      try {
        await this.hold(digest, member.http);
      } catch (error) {
        failed.push({ member, error });
        this.#ports.logger.debug({ digest, member: member.id, error: explain(error) }, 'artifact not pulled');
      }
    }
    return failed;
  }

  /**
   * On the leader, before a registration that names it (A1). Asks nobody when a function names it already, or when this term
   * has counted its majority a moment ago.
   * @throws BatonError `not-found` when a majority says that it has none, so that no upload of it was acknowledged;
   *   `no-quorum` as `replicate`
   */
  async secure(digest: Digest): Promise<void> {
    const { store, clock } = this.#ports;
    const term = this.#view.term();
    const now = clock.now();
    if (store.has(digest)) {
      if (this.#confirmations.has(digest, term, now)) return;
      if (this.#view.isNamed(digest)) return this.#confirmations.add(digest, term, now);
    } else {
      const failed = await this.#holdFromAny(digest);
      if (!store.has(digest)) throw notStored(digest, failed, this.#options.members.length);
    }
    await this.replicate(digest, this.#options.self.http);
  }

  /**
   * On the leader: resolves when a majority, itself included, holds the artifact; the others go on in the background (A1).
   * @throws BatonError `no-quorum` whose `fields.missing` names the replicas that did not answer
   */
  async replicate(digest: Digest, sourceHttp: string): Promise<void> {
    const term = this.#view.term();
    await this.hold(digest, sourceHttp);
    const askedMs = this.#ports.clock.now();
    await this.#majorityHolds(digest);
    this.#confirmations.add(digest, term, askedMs);
  }

  async #majorityHolds(digest: Digest): Promise<void> {
    const { self, members, pullTimeoutMs } = this.#options;
    const needed = Math.floor(members.length / 2);
    if (needed === 0) return;
    const others = members.filter((member) => member.id !== self.id);
    await new Promise<void>((resolve, reject) => {
      const failed: Failure[] = [];
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

  /** A3. */
  async #sweep(): Promise<void> {
    const { clock, store, logger } = this.#ports;
    for (const digest of this.#view.named()) this.#touch(digest);
    const stored = new Set(store.list().map(({ digest }) => digest));
    for (const digest of this.#touchedMs.keys()) if (!stored.has(digest)) this.#touchedMs.delete(digest);
    for (const digest of stored) {
      // Asked anew for each: a removal takes a while, and meanwhile somebody may have come for the next.
      const touchedMs = this.#touchedMs.get(digest) ?? this.#bornMs;
      if (clock.now() - touchedMs < this.#options.keepUnnamedMs) continue;
      try {
        await store.remove(digest);
        this.#touchedMs.delete(digest);
        logger.info({ digest }, 'artifact removed: no function names it');
      } catch (error) {
        logger.warn({ digest, error: explain(error) }, 'artifact not removed');
      }
    }
  }
}

function notStored(digest: Digest, failed: readonly Failure[], members: number): BatonError {
  const silent = failed.filter(({ error }) => !isBatonError(error, 'not-found'));
  // This replica has none either; who did not answer may.
  if (2 * (members - silent.length) <= members) return tooFew(silent);
  return new BatonError('not-found', `artifact ${digest} is not stored`, {
    fields: { path: 'artifact' },
    hint: 'upload it first; artifacts that no function names go after an hour',
  });
}

function tooFew(failed: readonly Failure[]): BatonError {
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
