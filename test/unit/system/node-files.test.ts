/** Files of the system, by their numbers: a closed one's belongs to somebody else. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { nodeFiles } from '../../../src/adapters/system/node-files.ts';

const directory = mkdtempSync(join(tmpdir(), 'baton-files-'));
afterAll(() => rmSync(directory, { recursive: true }));

it.each(['create', 'append', 'overwrite'] as const)(
  'closed twice, or written after it was closed, takes nothing from the next file (%s)',
  async (how) => {
    const path = join(directory, how);
    writeFileSync(path, 'before');
    const file = await nodeFiles.open(path, how);
    await file.close();
    const next = await nodeFiles.open(join(directory, `${how}.next`), 'create');
    await file.close();
    await expect(file.write(Buffer.from('wrong'), 0)).rejects.toThrow('is closed');
    await expect(file.write(Buffer.alloc(64 * 1024), 0)).rejects.toThrow('is closed');
    await expect(file.datasync()).rejects.toThrow('is closed');
    await next.write(Buffer.from('right'));
    await next.datasync();
    await next.close();
    expect(readFileSync(join(directory, `${how}.next`), 'utf8')).toBe('right');
  },
);

it('small and large pieces come where they should', async () => {
  const path = join(directory, 'pieces');
  const large = Buffer.alloc(100_000, 'l');
  const file = await nodeFiles.open(path, 'create');
  await file.write(Buffer.from('abc'));
  await file.write(large);
  await file.close();
  const again = await nodeFiles.open(path, 'overwrite');
  await again.write(Buffer.from('X'), 1);
  await again.close();
  expect(readFileSync(path).equals(Buffer.concat([Buffer.from('aXc'), large]))).toBe(true);
});
