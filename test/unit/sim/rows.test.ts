/** What is gone on with after an interruption, and what is not. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { journalLine, readJournal, type Row } from '../../sim/rows.ts';

const directory = mkdtempSync(join(tmpdir(), 'baton-rows-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const row = (seed: number): Row => ({
  seed,
  ok: true,
  trace: '',
  virtualMs: 1,
  events: 1,
  operations: 1,
  faultsByKind: {},
  leaderChanges: 1,
  violations: [],
  seconds: 1,
});
const here = { commit: 'abc1234', length: 'long' } as const;

function journal(name: string, ...lines: string[]): string {
  const path = join(directory, name);
  writeFileSync(path, lines.join(''));
  return path;
}

describe('the rows of an earlier run', () => {
  it('are gone on with, whatever seeds are asked for now', () => {
    const path = journal('all', journalLine(row(1), here), journalLine(row(900), here));
    expect(readJournal(path, here)).toMatchObject({
      rows: [expect.objectContaining({ seed: 1 }), expect.objectContaining({ seed: 900 })],
      others: undefined,
    });
  });

  it('are of no use where another commit or length ran, or a line is not whole', () => {
    const path = journal(
      'others',
      journalLine(row(1), { ...here, commit: 'def5678' }),
      journalLine(row(2), { ...here, length: 'quick' }),
      'rubbish\n',
      journalLine(row(3), here),
      journalLine(row(4), here).slice(0, 20),
    );
    const { lines, rows, others } = readJournal(path, here);
    expect(rows.map(({ seed }) => seed)).toEqual([3]);
    // They stay for whoever ran them.
    expect(lines).toHaveLength(3);
    expect(others).toBe(`3 rows of ${path} are damaged, or of another commit or length`);
  });

  it.each(['abc1234-dirty', 'unknown'])('are never those of what is in no commit: %s', (commit) => {
    const path = journal('dirty', journalLine(row(1), { ...here, commit }));
    const { rows, others } = readJournal(path, { ...here, commit });
    expect(rows).toEqual([]);
    expect(others).toContain(`in no commit (${commit})`);
  });

  it('are none where there is no journal', () => {
    expect(readJournal(join(directory, 'none'), here)).toEqual({
      lines: [],
      rows: [],
      others: undefined,
    });
  });
});
