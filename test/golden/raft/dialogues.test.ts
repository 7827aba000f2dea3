/**
 * The rules of the Raft core as dialogues that a person reads: what each replica hears, says and stores. README.md explains
 * the notation. `BATON_UPDATE_GOLDEN=1` rewrites what is expected, for review against the thesis.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { Dialogue } from './dialogue.ts';
import { replay } from './script.ts';

const folder = new URL('scripts/', import.meta.url);
const names = readdirSync(folder).map((file) => file.replace(/\.txt$/, ''));

it.each(names)('%s', (name) => {
  const file = new URL(`${name}.txt`, folder);
  const dialogue = new Dialogue();
  const replayed = replay(readFileSync(file, 'utf8'), (command) => dialogue.run(command));
  if (process.env['BATON_UPDATE_GOLDEN'] === '1') writeFileSync(file, replayed);
  expect(replayed).toBe(readFileSync(file, 'utf8'));
});
