/**
 * A mutant is a known bug, planted in a copy of the tree by exact replacements of text. Production code has no switch for it.
 *
 *   M1  a text to be replaced occurs exactly once: a mutant that no longer applies is an error, never a survivor;
 *   M2  the mutated tree compiles: what does not load was not caught by anything.
 */

export type Group = 'raft' | 'recovery' | 'placement' | 'autoscaler';

/**
 * `golden`: the dialogues of the Raft core. `sim`: whole clusters under virtual time, seed after seed, and the scenarios that no
 * seed draws. `tests`: unit and property tests, for code that neither of these runs.
 */
export type CheckName = 'golden' | 'sim' | 'tests';

export interface Edit {
  /** From the root of the repository. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface Mutant {
  readonly id: string;
  readonly group: Group;
  /** The bug, as one would report it. */
  readonly title: string;
  /** Where it was seen: "FAULTS 8, nebula#2419", or "own". */
  readonly source: string;
  readonly edits: readonly Edit[];
  /** Made so in the tree that it is compared with too: a bound so low that a run comes to it. They break no promise. */
  readonly conditions?: readonly Edit[];
  /** In this order, until one fails; what is not named is not asked. */
  readonly checks: readonly CheckName[];
  /** For `tests`, where those of the group are not the ones. */
  readonly tests?: readonly string[];
}

/** What is done to a tree. */
export type Planted = Pick<Mutant, 'id' | 'edits' | 'conditions'>;

/** @returns the files that it changes, as they become. @throws as {@link applyEdit} does */
export function applyMutant(
  { id, edits, conditions = [] }: Planted,
  read: (file: string) => string,
): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const edit of [...conditions, ...edits])
    files.set(edit.file, applyEdit(id, edit, files.get(edit.file) ?? read(edit.file)));
  return files;
}

/** @throws Error with one line: the text is not there exactly once (M1) */
export function applyEdit(id: string, { file, find, replace }: Edit, source: string): string {
  const at = source.indexOf(find);
  const line = JSON.stringify(find.trim().split('\n')[0]);
  if (at < 0) throw new Error(`${id}: ${file} does not contain ${line}`);
  if (source.includes(find, at + 1)) throw new Error(`${id}: ${file} contains ${line} more than once`);
  if (find === replace) throw new Error(`${id}: nothing is changed in ${file}`);
  return source.slice(0, at) + replace + source.slice(at + find.length);
}
