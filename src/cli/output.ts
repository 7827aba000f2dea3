/** How results are shown: a table for people, JSON and YAML for programs. Errors are one line with a hint. */
import { stringify } from 'yaml';
import { withoutUnknown } from '../api/client.ts';
import { BatonError, explain } from '../lib/errors.ts';

export type OutputFormat = 'table' | 'wide' | 'json' | 'yaml';

export const OUTPUT_FORMATS: readonly OutputFormat[] = ['table', 'wide', 'json', 'yaml'];

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string | number | boolean | undefined;
  /** Shown with `-o wide` only. */
  readonly wide?: boolean;
}

/** Where the command line writes; tests give their own. */
export interface Terminal {
  out(text: string | Uint8Array): void;
  err(text: string): void;
  readonly isInteractive: boolean;
}

export const terminal: Terminal = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  isInteractive: process.stderr.isTTY,
};

export function renderTable<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  wide: boolean,
): string {
  const shown = columns.filter((column) => wide || column.wide !== true);
  const cells = rows.map((row) => shown.map((column) => String(column.value(row) ?? '-')));
  const widths = shown.map((column, i) =>
    Math.max(column.title.length, ...cells.map((line) => line[i]?.length ?? 0)),
  );
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, i) => (i === texts.length - 1 ? text : text.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  return [line(shown.map((column) => column.title)), ...cells.map(line)].join('\n') + '\n';
}

export function workerState(worker: { state: string; cordoned: boolean; draining: boolean }): string {
  const { state, cordoned, draining } = worker;
  if (draining) return `${state}, draining`;
  return cordoned ? `${state}, cordoned` : state;
}

export function printRows<Row>(
  to: Terminal,
  format: OutputFormat,
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  emptyLine: string,
): void {
  if (format === 'json' || format === 'yaml') return printValue(to, format, rows);
  if (rows.length === 0) to.err(`${emptyLine}\n`);
  else to.out(renderTable(rows, columns, format === 'wide'));
}

export function printValue(to: Terminal, format: OutputFormat, value: unknown): void {
  to.out(format === 'yaml' ? yamlText(value) : jsonText(value, 2));
}

export function yamlText(value: unknown): string {
  return stringify(value, withoutUnknown);
}

/** @param indent left out: one line, for streams of objects */
export function jsonText(value: unknown, indent?: number): string {
  return `${JSON.stringify(value, withoutUnknown, indent)}\n`;
}

/** One line that says what happened and, after a dash, what to do. A function's own log follows when there is one. */
export function renderError(error: unknown): string {
  const text = explain(error).replaceAll(/\s*\n\s*/g, ' ');
  if (!(error instanceof BatonError)) return `baton: ${text}\n`;
  const hint = error.hint === undefined ? '' : ` — ${error.hint}`;
  const log =
    typeof error.fields['log'] === 'string' && error.fields['log'] !== ''
      ? `\n${error.fields['log'].trimEnd()}`
      : '';
  return `baton: ${text}${hint}${log}\n`;
}
