import { mkdirSync, mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ArtifactCache } from '../../../src/adapters/artifact-cache/artifact-cache.ts';
import { FileArtifactStore } from '../../../src/adapters/artifact-file/artifact-file.ts';
import { digest } from '../../../src/lib/ids.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'baton-artifact-cache-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

describe('unpacked artifacts', () => {
  it('are those of lives before, last unpacked last, and nothing half done', async () => {
    const unpacked = join(directory, 'unpacked');
    const [older, newer] = [digest('b'.repeat(64)), digest('a'.repeat(64))];
    for (const [name, second] of [
      [newer, 20],
      [older, 10],
      ['unpacking-x', 30],
    ] as const) {
      mkdirSync(join(unpacked, name), { recursive: true });
      utimesSync(join(unpacked, name), second, second);
    }
    const cache = new ArtifactCache(unpacked, new FileArtifactStore(join(directory, 'artifacts')), {
      fetch: () => {
        throw new Error('nothing is fetched');
      },
    });
    expect(cache.held()).toEqual([older, newer]);
    await cache.forget(older);
    expect(cache.held()).toEqual([newer]);
  });
});
