/** What every benchmark does alike at the terminal: its directory, its end, its one-line errors, its files. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { BatonError, explain, isBatonError } from '../../src/lib/errors.ts';

export interface Bench {
  readonly name: string;
  /** On the disk that is measured; removed at the end. */
  readonly directory: string;
  /** Progress, on stderr. */
  readonly say: (line: string) => void;
  /** Runs at the end, whatever the end is; the last given first. */
  readonly atEnd: (close: () => Promise<void>) => void;
  /** Ctrl-C came: what fails from now on fails because of it. */
  readonly isEnding: () => boolean;
}

/**
 * Runs a benchmark to its result; Ctrl-C ends what it started.
 * Exit code 0: the targets hold; 1: they do not, or it could not be measured; 2: wrong usage.
 */
export async function runBench(name: string, measure: (bench: Bench) => Promise<boolean>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), `baton-${name.replaceAll(/\W/g, '-')}-`));
  const closers: (() => Promise<void>)[] = [];
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= closeAll(closers, directory));
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void close().then(() => process.exit(130)));
  // Nobody reads any more, as behind `| head`: no reason to leave a cluster behind.
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', () => void close().then(() => process.exit(130)));
  const say = (line: string): void => void process.stderr.write(`${name}: ${line}\n`);
  try {
    const ok = await measure({
      name,
      directory,
      say,
      atEnd: (closer) => closers.unshift(closer),
      isEnding: () => closing !== undefined,
    });
    process.exitCode = ok ? 0 : 1;
  } catch (error) {
    // What Ctrl-C tears down fails in ways that are nobody's news.
    if (closing === undefined) say(oneLine(error));
    process.exitCode = isBatonError(error, 'invalid-argument') ? 2 : 1;
  } finally {
    await close();
  }
}

async function closeAll(closers: readonly (() => Promise<void>)[], directory: string): Promise<void> {
  for (const close of closers) await close().catch(() => undefined);
  rmSync(directory, { recursive: true, force: true });
}

function oneLine(error: unknown): string {
  const hint = isBatonError(error) && error.hint !== undefined ? ` (${error.hint})` : '';
  return `${explain(error).replaceAll(/\s+/g, ' ')}${hint}`;
}

/** @throws BatonError `invalid-argument` that lists the flags */
export function flagsOf<const T extends NonNullable<ParseArgsConfig['options']>>(
  options: T,
): ReturnType<typeof parseArgs<{ options: T }>>['values'] {
  try {
    return parseArgs({ options }).values;
  } catch (cause) {
    const flags = Object.keys(options).map((flag) => `--${flag}`);
    throw new BatonError('invalid-argument', 'no such flag, or no value for it', {
      cause,
      hint: `flags: ${flags.join(', ')}`,
    });
  }
}

/** @throws BatonError `invalid-argument` */
export function positive(flag: string, text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new BatonError('invalid-argument', `--${flag}: ${JSON.stringify(text)} is not a positive number`, {
    hint: `for example --${flag} 5`,
  });
}

/** @throws BatonError `invalid-argument` */
export function count(flag: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new BatonError(
    'invalid-argument',
    `--${flag}: ${JSON.stringify(text)} is not a whole number from 1 on`,
    {
      hint: `for example --${flag} 5`,
    },
  );
}

export function writeJson(file: string | undefined, result: object): void {
  if (file !== undefined) writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
}
