/** The log of one process, read as it grows: one JSON object a line. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

export interface LogLine {
  readonly atWallMs: number;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Empty for what is no text. */
export function textOf({ fields }: Pick<LogLine, 'fields'>, name: string): string {
  const value = fields[name];
  return typeof value === 'string' ? value : '';
}

/** Longer than any line. */
const CHUNK_BYTES = 1_048_576;
const LINE_END = 10;

export class ProcessLog {
  readonly #path: string;
  #offset = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Whole lines since the last time; what is no JSON (another program's, or torn by a kill) is left out. */
  read(): LogLine[] {
    const lines: LogLine[] = [];
    for (let text = this.#appended(); text !== ''; text = this.#appended())
      for (const line of text.split('\n')) lines.push(...parsed(line));
    return lines;
  }

  #appended(): string {
    let file: number;
    try {
      file = openSync(this.#path, 'r');
    } catch (error) {
      // Nobody was started yet.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
      throw error;
    }
    try {
      const wanted = Math.min(CHUNK_BYTES, fstatSync(file).size - this.#offset);
      if (wanted <= 0) return '';
      const bytes = Buffer.alloc(wanted);
      const read = readSync(file, bytes, 0, wanted, this.#offset);
      // A character may be cut in two, a line end cannot.
      const end = bytes.lastIndexOf(LINE_END, read - 1) + 1;
      this.#offset += end;
      return bytes.toString('utf8', 0, end);
    } finally {
      closeSync(file);
    }
  }
}

function parsed(line: string): LogLine[] {
  if (!line.startsWith('{')) return [];
  try {
    const { time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
    return [{ atWallMs: Date.parse(String(time)), message: String(msg), fields }];
  } catch {
    return [];
  }
}
