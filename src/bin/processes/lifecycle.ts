/** What every process of baton does alike: its log, its end, and what others read about its version. */
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemLogger } from '../../adapters/system/logger.ts';
import { explain } from '../../lib/errors.ts';
import type { Logger } from '../../ports/system.ts';

/** Longer than any grace period in a configuration's default. */
const STOP_LIMIT_MS = 20_000;

export interface Process {
  readonly logger: Logger;
  /** Ends the process with exit code 1, after one line in the log. */
  readonly onFatal: (error: Error) => void;
  /** Resolves when the process was asked to end and `stop` is through. */
  readonly untilStopped: (stop: () => Promise<void>) => Promise<void>;
}

export function beginProcess(
  level: 'debug' | 'info' | 'warn' | 'error',
  fields: Readonly<Record<string, string>>,
): Process {
  const logger = systemLogger(level, fields);
  const onFatal = (error: Error): void => {
    logger.error({ err: error, error: explain(error) }, 'this process cannot go on');
    // What must be durable is durable already; what is not must not be written by a process that lost its way.
    setImmediate(() => process.exit(1));
  };
  process.on('uncaughtException', onFatal);
  process.on('unhandledRejection', (reason) =>
    onFatal(reason instanceof Error ? reason : new Error(String(reason))),
  );
  return {
    logger,
    onFatal,
    untilStopped: (stop) =>
      new Promise((resolve, reject) => {
        let asked = false;
        const end = (signal: string): void => {
          if (asked) process.exit(1);
          asked = true;
          logger.info({ signal }, 'stopping');
          setTimeout(() => process.exit(1), STOP_LIMIT_MS).unref();
          stop().then(resolve, reject);
        };
        process.on('SIGTERM', () => end('SIGTERM'));
        process.on('SIGINT', () => end('SIGINT'));
      }),
  };
}

export function batonVersion(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'package.json'))) directory = dirname(directory);
  const manifest = createRequire(import.meta.url)(join(directory, 'package.json')) as { version: string };
  return manifest.version;
}
