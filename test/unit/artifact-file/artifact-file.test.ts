/** A replica's artifacts: whole, verified and durable under their digest, or not there. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileArtifactStore } from '../../../src/adapters/artifact-file/artifact-file.ts';
import { digest, type Digest } from '../../../src/lib/ids.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'baton-artifacts-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function* chunks(...parts: readonly (string | Uint8Array | Error)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    await Promise.resolve();
    if (part instanceof Error) throw part;
    yield typeof part === 'string' ? Buffer.from(part) : part;
  }
}

const sha256 = (content: string | Uint8Array): Digest =>
  digest(createHash('sha256').update(content).digest('hex'));

/** What was read, and how it ended. */
async function read(store: FileArtifactStore, id: Digest): Promise<{ bytes: Buffer; error: unknown }> {
  const parts: Uint8Array[] = [];
  try {
    for await (const part of store.read(id)) parts.push(part);
  } catch (error) {
    return { bytes: Buffer.concat(parts), error };
  }
  return { bytes: Buffer.concat(parts), error: undefined };
}

describe('an artifact', () => {
  it('is stored under the digest of its bytes, however they were cut, and read back', async () => {
    const store = new FileArtifactStore(directory);
    const id = sha256('hello world');
    expect(store.has(id)).toBe(false);
    const stored = await store.put(chunks('hel', '', 'lo wor', 'ld'));
    expect(stored).toMatchObject({ digest: id, bytes: 11 });
    expect(store.has(id)).toBe(true);
    expect(await read(store, id)).toEqual({ bytes: Buffer.from('hello world'), error: undefined });
    expect(readFileSync(join(directory, id), 'utf8')).toBe('hello world');
  });

  it('may be empty, and larger than any one chunk', async () => {
    const store = new FileArtifactStore(directory);
    const large = Buffer.alloc(300_000, 'abcdefg');
    for (const content of [Buffer.alloc(0), large]) {
      const { digest: id } = await store.put(chunks(content));
      expect(id).toBe(sha256(content));
      expect((await read(store, id)).bytes.equals(content)).toBe(true);
    }
  });

  it('stored twice at once is there once', async () => {
    const store = new FileArtifactStore(directory);
    const both = await Promise.all([store.put(chunks('same')), store.put(chunks('sa', 'me'))]);
    expect(both.map((stored) => stored.digest)).toEqual([sha256('same'), sha256('same')]);
    expect(readdirSync(directory)).toEqual([sha256('same')]);
  });

  it('outlives the process that stored it', async () => {
    const { digest: id } = await new FileArtifactStore(directory).put(chunks('durable'));
    const next = new FileArtifactStore(directory);
    expect(next.list()).toEqual([{ digest: id, bytes: 7 }]);
  });

  it('is taken away, and taking it away twice is no error', async () => {
    const store = new FileArtifactStore(directory);
    const { digest: id } = await store.put(chunks('x'));
    await store.remove(id);
    await store.remove(id);
    expect([store.has(id), store.list()]).toEqual([false, []]);
    expect((await read(store, id)).error).toMatchObject({ code: 'not-found', fields: { digest: id } });
  });
});

describe('what is not stored', () => {
  it('content with another digest than the caller’s', async () => {
    const store = new FileArtifactStore(directory);
    const put = store.put(chunks('hello'), sha256('hullo'));
    await expect(put).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining(sha256('hello')),
    });
    expect(readdirSync(directory)).toEqual([]);
    await store.put(chunks('hello'), sha256('hello'));
    expect(store.has(sha256('hello'))).toBe(true);
  });

  it('content over the limit, of which no more than the limit is read', async () => {
    const store = new FileArtifactStore(directory, 10);
    let sent = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        sent += 4;
        await Promise.resolve();
        yield Buffer.from('abcd');
      }
    }
    await expect(store.put(endless())).rejects.toMatchObject({
      code: 'too-large',
      fields: { limitBytes: 10 },
    });
    expect(sent).toBe(12);
    expect(readdirSync(directory)).toEqual([]);
    expect((await store.put(chunks('0123456789'))).bytes).toBe(10);
  });

  it('half of an upload that broke off', async () => {
    const store = new FileArtifactStore(directory);
    const put = store.put(chunks('half', new Error('connection reset')));
    await expect(put).rejects.toMatchObject({ code: 'io', cause: { message: 'connection reset' } });
    expect(readdirSync(directory)).toEqual([]);
  });

  it('what a crash left half-written: gone at the next start, with everything else left alone', async () => {
    const { digest: id } = await new FileArtifactStore(directory).put(chunks('whole'));
    writeFileSync(join(directory, '0123456789abcdef.tmp'), 'half');
    writeFileSync(join(directory, 'README'), 'not ours');
    const store = new FileArtifactStore(directory);
    expect(readdirSync(directory).sort()).toEqual([id, 'README'].sort());
    expect(store.list().map((stored) => stored.digest)).toEqual([id]);
  });
});

describe('a file that rotted', () => {
  it.each([
    ['changed', (content: Buffer) => Buffer.concat([Buffer.from('X'), content.subarray(1)])],
    ['cut short', (content: Buffer) => content.subarray(0, -1)],
    ['grown', (content: Buffer) => Buffer.concat([content, Buffer.of(0)])],
    ['emptied', () => Buffer.alloc(0)],
  ])('%s is reported, never served whole, and kept for a look', async (_, rot) => {
    const store = new FileArtifactStore(directory);
    const content = Buffer.alloc(200_000, 'code');
    const { digest: id } = await store.put(chunks(content));
    const rotten = rot(content);
    writeFileSync(join(directory, id), rotten);
    const { bytes, error } = await read(store, id);
    expect(error).toMatchObject({ code: 'damaged', fields: { digest: id } });
    expect(bytes.length).toBeLessThan(Math.max(1, rotten.length));
    // Gone from here, so that another replica's copy takes its place.
    expect([store.has(id), store.list()]).toEqual([false, []]);
    expect(readFileSync(join(directory, `${id}.damaged`)).equals(rotten)).toBe(true);
    await store.put(chunks(content), id);
    expect((await read(store, id)).error).toBeUndefined();
  });
});
