/** How long a process keeps everybody waiting: the slowest of the small requests that it is asked without a pause, as they share its one loop. */
import { Agent } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { call } from '../../cluster/demo/load.ts';
import { round } from '../lib/figures.ts';

const EVERY_MS = 5;
const NANOSECONDS = 1e6;

export class LongestWaits {
  readonly #longestMs = new Map<string, number>();
  readonly #own = monitorEventLoopDelay({ resolution: 1 });
  readonly #agent = new Agent({ keepAlive: true });
  #stopped = false;

  constructor(urls: readonly string[]) {
    this.#own.enable();
    for (const url of urls) void this.#ask(url);
  }

  async #ask(url: string): Promise<void> {
    while (!this.#stopped) {
      const beganMs = performance.now();
      const answered = await call(`${url}/healthz`, { agent: this.#agent }).then(
        () => true,
        () => false,
      );
      const tookMs = performance.now() - beganMs;
      if (answered) this.#longestMs.set(url, Math.max(this.#longestMs.get(url) ?? 0, tookMs));
      await delay(EVERY_MS);
    }
  }

  /** Milliseconds, so far. */
  of(url: string): number {
    return round(this.#longestMs.get(url) ?? 0);
  }

  /** Of this process, which asks and takes the time. */
  get ownMs(): number {
    return round(this.#own.max / NANOSECONDS);
  }

  stop(): void {
    this.#stopped = true;
    this.#own.disable();
    this.#agent.destroy();
  }
}
