/** Waiting that is bounded, level-triggered, and ends at once when the run is interrupted. */
import { setTimeout as delay } from 'node:timers/promises';
import { BatonError } from '../src/lib/errors.ts';

const LOOK_EVERY_MS = 20;

/** @throws BatonError `timeout` that names what did not come about, `canceled` when the run is interrupted */
export async function until<T>(
  what: string,
  timeoutMs: number,
  signal: AbortSignal,
  look: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new BatonError('timeout', `${what}: not within ${timeoutMs} ms`);
    await pause(LOOK_EVERY_MS, signal);
  }
}

/** @throws BatonError `canceled` when the run is interrupted */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch {
    // Nothing else ends a delay early, and what the signal says is this.
    throw new BatonError('canceled', 'the run was interrupted');
  }
}
