/** The sandboxes of a simulated worker: the simulated runtime, and who listens at which address. */
import { SimulatedRuntime } from '../../src/adapters/runtimes/simulated/simulated.ts';
import type { FunctionSpec } from '../../src/core/model/function.ts';
import type { Prng } from '../../src/lib/prng.ts';
import type { StartRequest } from '../../src/ports/sandbox-runtime.ts';
import type { SimProcess } from './process.ts';
import type { Served } from './sim-http.ts';

export const addressOf = (sandbox: string): string => `unix:/sim/${sandbox}`;

export class SimSandboxes {
  /** Those that run, by address. */
  readonly served: Map<string, Served & { readonly process: SimProcess }> = new Map();
  /** All that ever were: a create command starts one sandbox, once (R3). */
  readonly started: Set<string> = new Set();
  /** How long they take to answer: each its own time. */
  readonly answers: { leastMs: number; spreadMs: number } = { leastMs: 1, spreadMs: 4 };
  readonly #violation: (what: string) => void;

  constructor(violation: (what: string) => void) {
    this.#violation = violation;
  }

  /** @param mayStart false: this start fails */
  runtime(process: SimProcess, random: Prng, startMs: number, mayStart: () => boolean): SimulatedRuntime {
    const own = new Set<string>();
    const remove = (address: string): void => {
      this.served.delete(address);
      own.delete(address);
    };
    process.onExit(() => {
      for (const address of own) remove(address);
    });
    return new SimulatedRuntime({
      startMs,
      drainMs: 3,
      clock: process.clock,
      random: random.fork('runtime'),
      server: {
        open: (request) => {
          const { sandbox } = request;
          if (this.started.has(sandbox)) this.#violation(`R3: sandbox ${sandbox} was started twice`);
          this.started.add(sandbox);
          if (!mayStart()) return Promise.reject(new Error('boom'));
          const address = addressOf(sandbox);
          this.served.set(address, { ...this.#serve(request, random), process });
          own.add(address);
          return Promise.resolve(address);
        },
        close: (sandbox) => remove(addressOf(sandbox)),
        closeAll: () => Promise.resolve(),
      },
    });
  }

  #serve({ sandbox, spec }: StartRequest, random: Prng): Served {
    const { leastMs, spreadMs } = this.answers;
    const limit = spec.containerConcurrency;
    let inFlight = 0;
    return {
      body: JSON.stringify({ name: spec.name, version: versionOf(spec), sandbox }),
      takesMs: leastMs + random.float() * spreadMs,
      arrive: () => {
        inFlight++;
        if (limit > 0 && inFlight > limit)
          this.#violation(`${sandbox} has ${inFlight} requests in flight, its hard limit is ${limit}`);
      },
      leave: () => void inFlight--,
    };
  }
}

const versionOf = ({ env }: FunctionSpec): string => env.find(({ name }) => name === 'VERSION')?.value ?? '';
