/**
 * Artifacts as files named by their digest.
 *
 *   F1  a file under its final name is complete, verified and durable: written beside, hashed, fsynced, renamed, and the
 *       folder fsynced;
 *   F2  what is read is verified again: a file that rotted is reported, never served whole.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BatonError } from '../../lib/errors.ts';
import { digest as parseDigest, type Digest } from '../../lib/ids.ts';
import { limits } from '../../lib/limits.ts';
import type { ArtifactStore, StoredArtifact } from '../../ports/artifact-store.ts';
import { nodeFiles } from '../system/node-files.ts';

export class FileArtifactStore implements ArtifactStore {
  readonly #directory: string;
  readonly #maxBytes: number;

  constructor(directory: string, maxBytes: number = limits.artifactBytes) {
    this.#directory = directory;
    this.#maxBytes = maxBytes;
    mkdirSync(directory, { recursive: true });
    for (const name of readdirSync(directory)) if (name.endsWith('.tmp')) rmSync(join(directory, name));
  }

  #path(digest: Digest): string {
    return join(this.#directory, digest);
  }

  async put(content: AsyncIterable<Uint8Array>, expected?: Digest): Promise<StoredArtifact> {
    const temporary = join(this.#directory, `${randomBytes(8).toString('hex')}.tmp`);
    try {
      const { digest, bytes } = await this.#write(temporary, content);
      if (expected !== undefined && expected !== digest) {
        throw new BatonError('invalid-argument', `the content's SHA-256 is ${digest}, not ${expected}`, {
          fields: { path: 'digest' },
          hint: 'send the digest of the bytes that you send',
        });
      }
      await rename(temporary, this.#path(digest));
      await nodeFiles.syncFolder(this.#directory);
      return { digest, bytes };
    } catch (error) {
      await rm(temporary, { force: true });
      if (error instanceof BatonError) throw error;
      throw new BatonError('io', 'the artifact was not stored', { cause: error });
    }
  }

  async #write(path: string, content: AsyncIterable<Uint8Array>): Promise<{ digest: Digest; bytes: number }> {
    const hash = createHash('sha256');
    const file = await open(path, 'wx');
    let bytes = 0;
    try {
      for await (const chunk of content) {
        bytes += chunk.length;
        if (bytes > this.#maxBytes) {
          throw new BatonError('too-large', `the artifact is over ${this.#maxBytes} bytes`, {
            fields: { path: 'artifact', limitBytes: this.#maxBytes },
            hint: 'leave out what the function does not need at run time',
          });
        }
        hash.update(chunk);
        await file.writeFile(chunk);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    return { digest: parseDigest(hash.digest('hex')), bytes };
  }

  has(digest: Digest): boolean {
    return existsSync(this.#path(digest));
  }

  async *read(digest: Digest): AsyncIterable<Uint8Array> {
    const path = this.#path(digest);
    if (!existsSync(path)) {
      throw new BatonError('not-found', `no artifact ${digest}`, { fields: { digest } });
    }
    const hash = createHash('sha256');
    // F2: the last chunk is held back until the checksum is known.
    let held: Buffer | undefined;
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      if (held !== undefined) yield held;
      held = chunk;
    }
    if (hash.digest('hex') !== digest) {
      await rename(path, `${path}.damaged`);
      throw new BatonError('damaged', `artifact ${digest} fails its checksum`, { fields: { digest } });
    }
    if (held !== undefined) yield held;
  }

  list(): readonly StoredArtifact[] {
    const artifacts: StoredArtifact[] = [];
    for (const name of readdirSync(this.#directory)) {
      if (!/^[0-9a-f]{64}$/.test(name)) continue;
      const stat = statSync(join(this.#directory, name), { throwIfNoEntry: false });
      if (stat !== undefined) artifacts.push({ digest: parseDigest(name), bytes: stat.size });
    }
    return artifacts;
  }

  async remove(digest: Digest): Promise<void> {
    await rm(this.#path(digest), { force: true });
  }
}
