/** Which code a result speaks of. */
import { execFileSync } from 'node:child_process';

/** "abc1234"; "abc1234-dirty": what runs is in no commit; "unknown": this is no checkout. */
export function describeCommit(): string {
  try {
    return git('describe', '--always', '--dirty', '--exclude', '*').trim();
  } catch {
    return 'unknown';
  }
}

/** What is in no commit may have changed until it runs again. */
export function isCommitted(commit: string): boolean {
  return /^[0-9a-f]{7,64}$/.test(commit);
}

/** What nothing runs. */
const DOCUMENTS = [':(top,exclude)docs', ':(top,exclude)*.md'];

/** Answered for so many rows of a file. */
const known = new Map<string, boolean>();

/** Two results are of the same code: of one commit, or of two of this checkout that differ in documents only. */
export function isSameCode(one: string, other: string, checkout: string = '.'): boolean {
  if (!isCommitted(one) || !isCommitted(other)) return false;
  if (one === other) return true;
  const pair = [checkout, one, other].join('\n');
  let same = known.get(pair);
  if (same === undefined) known.set(pair, (same = hasSameFiles(one, other, checkout)));
  return same;
}

function hasSameFiles(one: string, other: string, checkout: string): boolean {
  try {
    git('-C', checkout, 'diff', '--quiet', '--end-of-options', one, other, '--', ':(top)', ...DOCUMENTS);
    return true;
  } catch {
    // They differ, or one of them is not to be found here.
    return false;
  }
}

function git(...args: string[]): string {
  return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}
