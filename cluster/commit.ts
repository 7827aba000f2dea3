/** Which code a result speaks of. */
import { execFileSync } from 'node:child_process';

/** "abc1234"; "abc1234-dirty": what runs is in no commit; "unknown": this is no checkout. */
export function describeCommit(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty', '--exclude', '*'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return 'unknown';
  }
}

/** What is in no commit may have changed until it runs again. */
export function isCommitted(commit: string): boolean {
  return commit !== 'unknown' && !commit.endsWith('-dirty');
}

/** Two results are of the same code. */
export function isSameCode(one: string, other: string): boolean {
  return one === other && isCommitted(one);
}
