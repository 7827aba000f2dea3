/** Looks at every data plane's table for as long as it is asked to. */
import type { Chronicle } from './histories/chronicle.ts';
import type { Observer } from './observer.ts';
import type { Play } from './play.ts';
import type { Stage } from './stage.ts';
import { pause } from './until.ts';
import type { Verdict } from './verifiers/verdict.ts';
import { Withdrawals } from './verifiers/withdrawals.ts';
import { tableOf } from './views.ts';

const EVERY_MS = 200;

export class WithdrawalWatch {
  readonly #stage: Stage;
  readonly #observer: Observer;
  readonly #functions: ReadonlySet<string>;
  readonly #chronicle: Chronicle;
  readonly #withdrawals: Withdrawals;
  readonly #watching: Promise<void>;
  #stopped = false;

  /** From now on; what workers have now of the functions whose scale is fixed is what must stay. */
  constructor({ stage, observer, chronicle, warmFunctions }: Play) {
    this.#stage = stage;
    this.#observer = observer;
    this.#functions = new Set(warmFunctions);
    this.#chronicle = chronicle;
    this.#withdrawals = new Withdrawals(this.#serving());
    this.#watching = this.#watch();
  }

  #serving(): string[] {
    this.#observer.read();
    return [...this.#observer.workers.values()]
      .flatMap(({ ready }) => ready)
      .filter((sandbox) => this.#functions.has(sandbox.function))
      .map(({ id }) => id);
  }

  async #watch(): Promise<void> {
    const { signal, dataPlanes } = this.#stage;
    while (!this.#stopped && !signal.aborted) {
      for (const dataPlane of dataPlanes) {
        const table = await tableOf(this.#stage, dataPlane);
        if (table === undefined) continue;
        const held = table.endpoints.map(({ sandbox }) => sandbox);
        this.#withdrawals.saw(dataPlane.id, held, () => this.#serving(), this.#chronicle.now());
      }
      await pause(EVERY_MS, signal).catch(() => undefined);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#watching;
  }

  get wrong(): number {
    return this.#withdrawals.wrong.size;
  }

  /** @param silenceMs a cut that lasts so long is a reason to take a worker for dead; undefined: there are none */
  verdict(silenceMs?: number): Verdict {
    this.#observer.read();
    const { faults } = this.#chronicle;
    const isExcused = (atMs: number): boolean =>
      silenceMs !== undefined &&
      faults.some(
        ({ fromMs, toMs }) => toMs - fromMs >= silenceMs && fromMs <= atMs && atMs <= toMs + EVERY_MS,
      );
    const ended = [...this.#observer.workers.values()].flatMap(({ ends }) => ends.map(({ id }) => id));
    return this.#withdrawals.verdict(ended, isExcused);
  }
}
