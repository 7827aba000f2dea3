/** Which results can be gone on from. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { isSameCode } from '../../../cluster/commit.ts';

const checkout = mkdtempSync(join(tmpdir(), 'baton-commit-'));
/** Of nobody's hooks and keys, and in no other repository that the environment may name. */
const SETTINGS = [
  'user.name=a',
  'user.email=a@b.example',
  'core.hooksPath=/dev/null',
  'commit.gpgsign=false',
];
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_')));
const git = (...args: string[]): string => {
  const settings = SETTINGS.flatMap((setting) => ['-c', setting]);
  return execFileSync('git', ['-C', checkout, ...settings, ...args], { encoding: 'utf8', env }).trim();
};

/** @returns the commit that has it */
const commit = (file: string, text: string): string => {
  const path = join(checkout, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  git('add', '-A');
  git('commit', '-qm', file);
  return git('rev-parse', '--short', 'HEAD');
};

let first = '';
beforeAll(() => {
  git('init', '-q');
  first = commit('src/a.ts', '1');
});
afterAll(() => rmSync(checkout, { recursive: true, force: true }));

it('those of the same commit, and of another that has other documents only', () => {
  expect(isSameCode(first, first, checkout)).toBe(true);
  commit('docs/picture.png', 'p');
  const later = commit('README.md', 'r');
  expect(isSameCode(first, later, checkout)).toBe(true);
});

it('none of other code, whatever it is', () => {
  let before = git('rev-parse', '--short', 'HEAD');
  for (const file of ['src/a.ts', 'chaos/b.ts', 'chaos/docs/c.ts', 'package-lock.json', 'proto/d.proto']) {
    const after = commit(file, '2');
    expect([file, isSameCode(before, after, checkout)]).toEqual([file, false]);
    expect(isSameCode(before, after, join(checkout, 'docs'))).toBe(false);
    before = after;
  }
});

it('none of what is in no commit, or in none of this checkout', () => {
  expect(isSameCode('unknown', 'unknown', checkout)).toBe(false);
  expect(isSameCode(`${first}-dirty`, `${first}-dirty`, checkout)).toBe(false);
  expect(isSameCode(first, 'abcdef0', checkout)).toBe(false);
  expect(isSameCode('HEAD', 'HEAD', checkout)).toBe(false);
});
