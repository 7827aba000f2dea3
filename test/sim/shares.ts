/** Many seeds, on all processors: a process for each, which is given one seed after the other. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism, constants } from 'node:os';
import { dirname } from 'node:path';
import { drawOptions, type Length } from './options.ts';
import { rowOf, type Row } from './rows.ts';
import { simulate } from './run.ts';

/**
 * A simulated cluster throws away much at once and keeps little: with V8's own 16 MiB for what is new the collector has a good part
 * of a share's time. Every processor has a share, and none is left for the collector's threads; where an error came from is asked of
 * the run of its seed alone.
 */
const SHARE_FLAGS = ['--max-semi-space-size=64', '--single-threaded-gc', '--stack-trace-limit=0'];

type Signal = 'SIGINT' | 'SIGTERM';

/** How it ended before its time: `code` is what the program ends with. */
export interface Broken {
  readonly why: string;
  readonly code: number;
}

/**
 * @param program that answers `--share --length L` with {@link runShare}
 * @param onRow in the order in which they end
 * @returns undefined when all have run
 */
export async function runShares(
  program: string,
  seeds: readonly number[],
  length: Length,
  onRow: (row: Row) => void,
): Promise<Broken | undefined> {
  const left = [...seeds];
  const jobs = Math.min(availableParallelism(), left.length);
  const stops = new Set<() => void>();
  let interrupted: Signal | undefined;
  const interrupt = (signal: Signal): void => {
    interrupted = signal;
    for (const stop of stops) stop();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  // One by one: processors of a shared machine are not of one pace.
  const next = (): number | undefined => (interrupted === undefined ? left.shift() : undefined);
  const ends = await Promise.all(
    Array.from({ length: jobs }, () => runJob(program, length, next, onRow, stops)),
  );
  process.off('SIGINT', interrupt);
  process.off('SIGTERM', interrupt);
  if (interrupted !== undefined) return { why: 'interrupted', code: 128 + constants.signals[interrupted] };
  const why = ends.find((end) => end !== undefined);
  return why === undefined ? undefined : { why, code: 1 };
}

/** @returns how it ended before its time, if it did */
function runJob(
  program: string,
  length: Length,
  next: () => number | undefined,
  onRow: (row: Row) => void,
  stops: Set<() => void>,
): Promise<string | undefined> {
  const child = fork(program, ['--share', '--length', length], {
    execArgv: [...process.execArgv, ...SHARE_FLAGS],
    cwd: dirname(program),
  });
  const stop = (): void => void child.kill();
  stops.add(stop);
  let seed: number | undefined;
  const give = (): void => {
    seed = next();
    // One that is gone is heard of by its exit.
    child.send({ seed }, () => undefined);
  };
  give();
  return new Promise((resolve) => {
    const end = (what: string | undefined): void => {
      stops.delete(stop);
      resolve(what);
    };
    child.on('message', (row) => {
      give();
      onRow(row as Row);
    });
    child.on('error', (error) => end(`a share of the seeds could not be started: ${error.message}`));
    child.on('exit', (code, signal) => {
      const how = signal ?? `code ${code}`;
      end(code === 0 && seed === undefined ? undefined : `the process of seed ${seed} ended with ${how}`);
    });
  });
}

/** In the process of a share: its parent hears of each seed, and nobody goes on without it. */
export async function runShare(length: Length): Promise<void> {
  const orphaned = (): void => process.exit(1);
  process.on('disconnect', orphaned);
  for (;;) {
    const [{ seed }] = (await once(process, 'message')) as [{ seed?: number }];
    if (seed === undefined) break;
    const beganMs = performance.now();
    process.send?.(rowOf(await simulate(seed, drawOptions(seed, length)), beganMs));
  }
  process.off('disconnect', orphaned);
  process.disconnect();
}
