/** Real time. */
import type { Clock, Timer } from '../../ports/system.ts';

/**
 * Both read the machine's monotonic clock; one begins with this process, the other with the machine. So what two processes of
 * one machine note down can be compared, whatever is done to the wall clock.
 */
const ORIGIN_MS = Number(process.hrtime.bigint()) / 1e6 - performance.now();

export const systemClock: Clock = {
  now: () => ORIGIN_MS + performance.now(),
  wall: () => Date.now(),
  after(delayMs, run): Timer {
    const timer = setTimeout(run, Math.max(0, delayMs));
    return { cancel: () => clearTimeout(timer) };
  },
  soon: (run) => void setImmediate(run),
};
