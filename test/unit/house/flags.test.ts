/** Wrong usage of the programs among the tests is heard at once, in one line, and passes for nothing. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { Flags } from '../../setup/flags.ts';

const folder = mkdtempSync(join(tmpdir(), 'baton-flags-'));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

/** @returns what it says before it exits with 2 */
function refusalOf(use: (flags: Flags) => unknown): string {
  let said = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
  vi.spyOn(process, 'exit').mockImplementation((code) => {
    throw new Error(`exit ${code ?? 0}`);
  });
  expect(() => use(new Flags('test:it'))).toThrow('exit 2');
  expect(said.trimEnd().split('\n')).toHaveLength(1);
  return said.trimEnd();
}

describe('flags of the programs among the tests', () => {
  it('are numbers where numbers are meant', () => {
    expect(new Flags('test:it').whole('seed', '0')).toBe(0);
    expect(refusalOf((flags) => flags.whole('seed', '-1'))).toBe(
      'test:it: --seed: "-1" is not possible — give a whole number from 0 on',
    );
  });

  it('ask for something: no run at all shows nothing', () => {
    expect(refusalOf((flags) => flags.whole('runs', '0', 1))).toBe(
      'test:it: --runs: "0" is not possible — give a whole number from 1 on',
    );
  });

  it('are those that there are', () => {
    vi.spyOn(process, 'argv', 'get').mockReturnValue(['node', 'it', '--run', '1']);
    expect(refusalOf((flags) => flags.parse({ runs: { type: 'string' }, json: { type: 'string' } }))).toMatch(
      /^test:it: .* — there is --runs, --json$/,
    );
  });

  it('name a file that can be written, before the long run and not after it', () => {
    const file = join(folder, 'result.json');
    expect(new Flags('test:it').writable('json', file)).toBe(file);
    expect(refusalOf((flags) => flags.writable('json', join(folder, 'none', 'result.json')))).toMatch(
      /^test:it: --json: ".*result\.json": .*none is not there, or not writable — name a file/,
    );
  });
});
