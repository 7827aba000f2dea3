/** Tables of the documentation, as rows of cells. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../../cluster/package-root.ts';

/** Of every table of the file whose first column has this title: the rows, by the titles of the columns, without backquotes. */
export function tableRows(file: string, title: string): readonly Readonly<Record<string, string>>[] {
  const rows: Record<string, string>[] = [];
  let titles: readonly string[] | undefined;
  for (const line of readFileSync(join(packageRoot(), file), 'utf8').split('\n')) {
    if (!line.startsWith('|')) {
      titles = undefined;
      continue;
    }
    const cells = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', ''));
    if (titles === undefined) titles = cells;
    else if (titles[0] === title && !/^-+$/.test(cells[0] ?? ''))
      rows.push(Object.fromEntries(titles.map((name, i) => [name, cells[i] ?? ''])));
  }
  return rows;
}
