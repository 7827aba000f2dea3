/**
 * Warm traffic in an open loop: requests are due at a fixed rate, whatever became of those before, and are measured from when
 * they were due. They go through all data planes and to all functions in turn.
 */
import { Latencies } from '../histories/latencies.ts';
import type { Chronicle } from '../histories/chronicle.ts';
import type { Caller } from './caller.ts';

export interface WarmOptions {
  readonly caller: Pick<Caller, 'call'>;
  readonly chronicle: Pick<Chronicle, 'now'>;
  readonly functions: readonly string[];
  readonly ratePerSecond: number;
}

const TICK_MS = 5;
const TIMEOUT_MS = 15_000;

export class WarmTraffic {
  readonly latencies: Latencies = new Latencies();
  readonly #options: WarmOptions;
  #timer: NodeJS.Timeout | undefined;
  #beganMs = 0;
  #sent = 0;
  #ended = 0;

  constructor(options: WarmOptions) {
    this.#options = options;
  }

  start(): void {
    this.#beganMs = this.#options.chronicle.now();
    this.#timer = setInterval(() => this.#sendDue(), TICK_MS);
  }

  get sent(): number {
    return this.#sent;
  }

  get open(): number {
    return this.#sent - this.#ended;
  }

  #sendDue(): void {
    const { caller, chronicle, functions, ratePerSecond } = this.#options;
    const everyMs = 1_000 / ratePerSecond;
    for (let dueMs = this.#dueMs(everyMs); dueMs <= chronicle.now(); dueMs = this.#dueMs(everyMs)) {
      const n = this.#sent++;
      caller.call({
        workload: 'warm',
        function: functions[n % functions.length] ?? '',
        // All functions through one data plane, then through the next.
        turn: Math.floor(n / functions.length),
        dueMs,
        timeoutMs: TIMEOUT_MS,
        onEnd: (_isServed, tookMs) => {
          this.#ended++;
          this.latencies.add(tookMs);
        },
      });
    }
  }

  #dueMs(everyMs: number): number {
    return this.#beganMs + this.#sent * everyMs;
  }

  /** What has been sent ends by itself, within its timeout. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
