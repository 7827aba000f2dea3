/** Time, randomness and logging, as the roles see them. */
import type { Prng } from '../lib/prng.ts';

export interface Timer {
  cancel(): void;
}

/** Only monotonic time decides anything; the wall clock is for people and for incarnations. */
export interface Clock {
  /** Monotonic milliseconds with a fraction, from an arbitrary origin. */
  now(): number;
  /** Milliseconds since the Unix epoch. */
  wall(): number;
  after(delayMs: number, run: () => void): Timer;
  /** Runs soon, after the current turn and before timers: for coalescing what one turn produced. */
  soon(run: () => void): void;
}

export type Random = Prng;

export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  child(fields: LogFields): Logger;
}
