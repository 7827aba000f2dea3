/** Cold bursts: functions that have no sandbox, all called in one instant. */
import { Latencies } from '../histories/latencies.ts';
import type { Chronicle } from '../histories/chronicle.ts';
import type { Caller } from './caller.ts';

export interface ColdOptions {
  readonly caller: Pick<Caller, 'call'>;
  readonly chronicle: Pick<Chronicle, 'now'>;
  /** Of one request: it waits for a sandbox, through an election if need be. */
  readonly timeoutMs: number;
}

export class ColdBursts {
  readonly latencies: Latencies = new Latencies();
  readonly #options: ColdOptions;
  #sent = 0;
  #ended = 0;

  constructor(options: ColdOptions) {
    this.#options = options;
  }

  get open(): number {
    return this.#sent - this.#ended;
  }

  /** Each function `times` at once. Nothing is waited for: what becomes of the requests is in the ledger. */
  burst(functions: readonly string[], times: number): void {
    const { caller, chronicle, timeoutMs } = this.#options;
    const dueMs = chronicle.now();
    for (let time = 0; time < times; time++)
      for (const name of functions)
        caller.call({
          workload: 'cold',
          function: name,
          turn: this.#sent++,
          dueMs,
          timeoutMs,
          onEnd: (_isServed, tookMs) => {
            this.#ended++;
            this.latencies.add(tookMs);
          },
        });
  }
}

/** Cold starts at all times: one function after the other, each in its turn. */
export class ColdTrickle {
  readonly #cold: Pick<ColdBursts, 'burst'>;
  readonly #functions: readonly string[];
  readonly #everyMs: number;
  #timer: NodeJS.Timeout | undefined;
  #turn = 0;

  constructor(cold: Pick<ColdBursts, 'burst'>, functions: readonly string[], everyMs: number) {
    this.#cold = cold;
    this.#functions = functions;
    this.#everyMs = everyMs;
  }

  start(): void {
    this.#timer = setInterval(() => {
      const name = this.#functions[this.#turn++ % this.#functions.length];
      if (name !== undefined) this.#cold.burst([name], 1);
    }, this.#everyMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
