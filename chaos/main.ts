/**
 * `npm run chaos -- --scenario NAME [--kills N] [--rounds N] [--seed N] [--dir DIR] [--json FILE] [--report DIR]`: faults on a cluster of real
 * processes. Exit codes: 0 everything held, 1 something did not or the run broke, 2 wrong usage, 130 interrupted.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { explain, isBatonError } from '../src/lib/errors.ts';
import { parseOptions, type ChaosOptions } from './options.ts';
import { run, type RunResult } from './runner.ts';
import { scenarios } from './scenarios/index.ts';

async function main(): Promise<number> {
  const drawn = Math.floor(Math.random() * 1_000_000);
  const names = scenarios.map(({ name }) => name);
  const options = parseOptions(process.argv.slice(2), names, drawn);
  const scenario = scenarios.find(({ name }) => name === options.scenario);
  if (scenario === undefined) return 2;
  process.stdout.write(`chaos: ${scenario.name}: ${scenario.about}; seed ${options.seed}\n`);
  const interruption = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => interruption.abort());
  // Now, not after the minutes that it takes.
  if (options.json !== undefined) mkdirSync(dirname(resolve(options.json)), { recursive: true });
  const progress = progressTo(process.stderr);
  try {
    const result = await run(scenario, options, interruption.signal, progress.show);
    progress.end();
    tell(result);
    write(result, options);
    return result.ok ? 0 : 1;
  } catch (error) {
    progress.end();
    const { seed, json } = options;
    const broken = { ok: false, scenario: scenario.name, seed, error: explain(error) };
    if (json !== undefined) writeFileSync(json, `${JSON.stringify(broken, null, 2)}\n`);
    throw error;
  }
}

interface Progress {
  readonly show: (line: string) => void;
  readonly end: () => void;
}

/** One line that is written over at a terminal, lines elsewhere. */
function progressTo(stream: NodeJS.WriteStream): Progress {
  const beganMs = performance.now();
  let isOpen = false;
  return {
    show(line) {
      const seconds = ((performance.now() - beganMs) / 1_000).toFixed(0).padStart(4);
      stream.write(stream.isTTY ? `\r${seconds} s  ${line}\u001B[K` : `${seconds} s  ${line}\n`);
      isOpen = stream.isTTY;
    },
    end() {
      if (isOpen) stream.write('\n');
      isOpen = false;
    },
  };
}

function tell(result: RunResult): void {
  const { leaderChanges, faults, verdicts, summary, wallSeconds } = result;
  const lines = [
    `${leaderChanges} leader changes in ${wallSeconds} s; faults ${JSON.stringify(faults)}`,
    ...summary,
    ...Object.entries(verdicts).map(([name, { ok, what }]) => `${ok ? '✓' : '✗'} ${name}: ${what}`),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  if (result.keptIn !== undefined) process.stdout.write(`logs and disks are in ${result.keptIn}\n`);
}

function write(
  { pictures, figures, summary: _lines, ...result }: RunResult,
  { json, report }: ChaosOptions,
): void {
  const folder = resolve(report ?? (json === undefined ? '.' : dirname(json)));
  if (pictures.size > 0) mkdirSync(folder, { recursive: true });
  const drawn = [...pictures].map(([name, svg]) => {
    const path = join(folder, `chaos-${result.scenario}-${result.seed}-${name}.svg`);
    writeFileSync(path, svg);
    process.stdout.write(`drawn in ${path}\n`);
    return path;
  });
  if (json !== undefined)
    writeFileSync(json, `${JSON.stringify({ ...figures, ...result, pictures: drawn }, null, 2)}\n`);
}

try {
  process.exitCode = await main();
} catch (error) {
  const hint = isBatonError(error) && error.hint !== undefined ? ` — ${error.hint}` : '';
  process.stderr.write(`chaos: ${explain(error)}${hint}\n`);
  const isUsage = isBatonError(error) && typeof error.fields['path'] === 'string';
  process.exitCode = isBatonError(error, 'canceled') ? 130 : isUsage ? 2 : 1;
}
