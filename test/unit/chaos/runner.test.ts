/** What a run refuses before it touches anything. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { run } from '../../../chaos/runner.ts';
import { metadata } from '../../../chaos/scenarios/metadata.ts';

it('a directory that holds anything is refused and left alone: it may be a cluster that somebody uses', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'baton-unit-chaos-'));
  try {
    writeFileSync(join(directory, 'cluster.json'), '{}');
    const running = run(metadata, { seed: 1, count: 1, directory }, new AbortController().signal, () => {
      throw new Error('something was begun');
    });
    await expect(running).rejects.toMatchObject({ code: 'already-exists', fields: { path: '--dir' } });
    expect(readdirSync(directory)).toEqual(['cluster.json']);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
