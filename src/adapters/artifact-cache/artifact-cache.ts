/**
 * A worker's artifacts: fetched from any replica, verified by digest, unpacked beside, renamed when complete. A cache: what
 * is lost is fetched again.
 */
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar';
import { BatonError } from '../../lib/errors.ts';
import { isDigest, type Digest } from '../../lib/ids.ts';
import type { ArtifactSource } from '../../ports/artifact-peers.ts';
import type { ArtifactStore } from '../../ports/artifact-store.ts';
import type { UnpackedArtifacts } from '../../ports/unpacked-artifacts.ts';

/** Unpacked it may not be larger than this, whatever its packed size promised. */
const MAX_UNPACKED_BYTES = 1_073_741_824;
const MAX_FILES = 50_000;

export class ArtifactCache implements UnpackedArtifacts {
  readonly #directory: string;
  readonly #store: ArtifactStore;
  readonly #source: ArtifactSource;
  readonly #inFlight = new Map<Digest, Promise<string>>();

  constructor(directory: string, store: ArtifactStore, source: ArtifactSource) {
    this.#directory = directory;
    this.#store = store;
    this.#source = source;
    mkdirSync(directory, { recursive: true });
    for (const name of readdirSync(directory))
      if (name.startsWith('unpacking-')) rmSync(join(directory, name), { recursive: true, force: true });
  }

  held(): readonly Digest[] {
    return readdirSync(this.#directory)
      .filter(isDigest)
      .map((digest) => ({ digest, unpackedMs: statSync(join(this.#directory, digest)).mtimeMs }))
      .sort((a, b) => a.unpackedMs - b.unpackedMs)
      .map(({ digest }) => digest);
  }

  ensure(digest: Digest, sources: readonly string[]): Promise<string> {
    const running = this.#inFlight.get(digest);
    if (running !== undefined) return running;
    const work = this.#ensure(digest, sources).finally(() => this.#inFlight.delete(digest));
    this.#inFlight.set(digest, work);
    return work;
  }

  async forget(digest: Digest): Promise<void> {
    await this.#store.remove(digest);
    await rm(join(this.#directory, digest), { recursive: true, force: true });
  }

  async #ensure(digest: Digest, sources: readonly string[]): Promise<string> {
    const directory = join(this.#directory, digest);
    if (await isThere(directory)) return directory;
    if (!this.#store.has(digest)) await this.#fetch(digest, sources);
    await this.#unpack(digest, directory);
    return directory;
  }

  async #fetch(digest: Digest, sources: readonly string[]): Promise<void> {
    let last: unknown;
    for (const source of sources) {
      try {
        await this.#store.put(this.#source.fetch(source, digest), digest);
        return;
      } catch (error) {
        last = error;
      }
    }
    throw new BatonError('not-found', `no replica gave artifact ${digest.slice(0, 12)}`, {
      hint: 'a majority of replicas should hold it: baton status',
      cause: last,
    });
  }

  async #unpack(digest: Digest, directory: string): Promise<void> {
    const beside = await mkdtemp(join(this.#directory, 'unpacking-'));
    let bytes = 0;
    let files = 0;
    try {
      await mkdir(beside, { recursive: true });
      await pipeline(
        Readable.from(this.#store.read(digest)),
        extract({
          cwd: beside,
          strict: true,
          preserveOwner: false,
          filter: (path, entry) => {
            bytes += entry.size ?? 0;
            if (bytes > MAX_UNPACKED_BYTES || ++files > MAX_FILES)
              throw new BatonError('too-large', `the artifact unpacks to too much at ${path}`);
            return true;
          },
        }),
      );
      await rename(beside, directory);
    } catch (cause) {
      await rm(beside, { recursive: true, force: true });
      if (await isThere(directory)) return;
      throw new BatonError('damaged', 'the artifact cannot be unpacked', {
        hint: 'it must be a gzip tar; baton deploy makes one',
        cause,
      });
    }
  }
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
