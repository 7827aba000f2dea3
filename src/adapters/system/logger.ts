/** Structured logs, one JSON object a line, through pino. */
import { pino, type Logger as Pino } from 'pino';
import type { Logger } from '../../ports/system.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

function wrap(target: Pino): Logger {
  return {
    debug: (fields, message) => target.debug(fields, message),
    info: (fields, message) => target.info(fields, message),
    warn: (fields, message) => target.warn(fields, message),
    error: (fields, message) => target.error(fields, message),
    child: (fields) => wrap(target.child(fields)),
  };
}

export function systemLogger(level: LogLevel, fields: Readonly<Record<string, unknown>> = {}): Logger {
  const target = pino({
    level,
    base: fields,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
  return wrap(target);
}
