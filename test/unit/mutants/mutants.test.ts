/** The catalogue of planted bugs against the sources of today: a refactoring may not make one of them vanish unnoticed. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mutants } from '../../mutants/catalogue.ts';
import { applyEdit } from '../../mutants/mutant.ts';
import { oracleOf } from '../../mutants/oracle.ts';
import { planted, ROOT } from '../../mutants/workspace.ts';

describe('each mutant', () => {
  it('has an id of its own, and says what it is and where it was seen', () => {
    expect(new Set(mutants.map(({ id }) => id)).size).toBe(mutants.length);
    for (const { title, source, checks } of mutants) {
      expect(title).not.toBe('');
      expect(source).toMatch(/^(FAULTS \d|own(; it was here)?$|Dirigent|knative\/serving#\d)/);
      expect(checks.length).toBeGreaterThan(0);
    }
  });

  it.each(mutants)('$id applies to the sources exactly once', (mutant) => {
    for (const [file, text] of planted(mutant, ROOT))
      expect(text).not.toBe(readFileSync(join(ROOT, file), 'utf8'));
  });
});

describe('an edit', () => {
  const edit = (find: string, replace: string): { file: string; find: string; replace: string } => ({
    file: 'a.ts',
    find,
    replace,
  });

  it('whose text is not there, or is there twice, or changes nothing, is an error in one line', () => {
    expect(applyEdit('m', edit('b', 'x'), 'abc')).toBe('axc');
    expect(() => applyEdit('m', edit('d\ne', 'x'), 'abc')).toThrow('m: a.ts does not contain "d"');
    expect(() => applyEdit('m', edit('b', 'x'), 'abcb')).toThrow('m: a.ts contains "b" more than once');
    expect(() => applyEdit('m', edit('b', 'b'), 'abc')).toThrow('m: nothing is changed in a.ts');
  });
});

describe('a violation', () => {
  it.each([
    ['1.250: election safety: r1 and r2 lead term 3', 'election safety'],
    ['0.100: state-machine safety: r1 and r2 differ at index 7', 'state-machine safety'],
    ['9.000: LIN: lin-1: no single copy fits 12 operations; get follows nothing', 'LIN'],
    ['2.000: r1 acknowledges index 4 and has 3 on its disk', 'persist before reply'],
    ['2.000: r1 votes for r2 and for nobody in term 4', 'one vote a term'],
    ['2.000: r1 cannot go on: L3: entry 4 is committed (5)', 'assertion'],
  ])('%j is of the oracle %s', (violation, oracle) => expect(oracleOf(violation)).toBe(oracle));
});
