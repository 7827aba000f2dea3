/** Real time. */
import type { Clock, Timer } from '../../ports/system.ts';

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(delayMs, run): Timer {
    const timer = setTimeout(run, Math.max(0, delayMs));
    return { cancel: () => clearTimeout(timer) };
  },
  soon: (run) => void setImmediate(run),
};
