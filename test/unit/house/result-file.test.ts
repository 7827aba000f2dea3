/** A long run whose result has no place is refused before it begins. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { writable } from '../../../cluster/result-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'baton-result-file-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a result file', () => {
  it('is any in a directory that is there, whether or not it is there itself', () => {
    const file = join(folder, 'result.json');
    expect(writable('json', file)).toBe(file);
    writeFileSync(file, '{}');
    expect(writable('json', file)).toBe(file);
    expect(writable('json', undefined)).toBeUndefined();
  });

  it('is not made room for: its directory must be there', () => {
    const directory = join(folder, 'none');
    expect(() => writable('svg', join(directory, 'result.svg'))).toThrow(
      expect.objectContaining({
        code: 'invalid-argument',
        message: `--svg: "${join(directory, 'result.svg')}": ${directory} is not there, or not writable`,
        fields: { path: '--svg' },
        hint: 'name a file in a directory of yours',
      }),
    );
    expect(existsSync(directory)).toBe(false);
  });

  it('is no directory', () => {
    expect(() => writable('json', folder)).toThrow(
      expect.objectContaining({
        code: 'invalid-argument',
        message: `--json: ${JSON.stringify(folder)} is a directory`,
        fields: { path: '--json' },
        hint: 'name a file in it',
      }),
    );
  });

  it('is in no file', () => {
    const file = join(folder, 'plain');
    writeFileSync(file, '');
    expect(() => writable('json', join(file, 'result.json'))).toThrow('is not there, or not writable');
  });
});
