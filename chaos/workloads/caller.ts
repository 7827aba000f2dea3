/**
 * Sends requests to functions through data planes, over one set of pooled connections for all workloads, and enters each in
 * the ledger. Knows what a function of the suite answers: its own name.
 *
 *   C1  a request whose connection was refused has reached nobody: it goes to the next data plane, as behind any balancer;
 *   C2  nothing else is tried again: what a user would see is what is counted.
 */
import { Pool, type Dispatcher } from 'undici';
import type { Chronicle } from '../histories/chronicle.ts';
import { SERVED, type Cause, type Ledger } from '../verifiers/ledger.ts';

export interface CallerTarget {
  readonly id: string;
  readonly url: string;
}

export interface CallerOptions {
  readonly targets: readonly CallerTarget[];
  readonly ledger: Ledger;
  readonly chronicle: Chronicle;
}

export interface Call {
  readonly workload: string;
  readonly function: string;
  /** Which data plane is asked first; any whole number. */
  readonly turn: number;
  readonly dueMs: number;
  readonly timeoutMs: number;
  readonly onEnd: (isServed: boolean, tookMs: number) => void;
}

/** More than are ever busy: an arrival that waits for a connection would be a closed loop. */
const CONNECTIONS = 1_024;
const IDLE_MS = 10_000;
/** No function of the suite answers more. */
const MAX_BODY = 4_096;

export class Caller {
  /** Requests that were refused a connection and went to another data plane. */
  rerouted = 0;
  readonly #options: CallerOptions;
  readonly #pools: readonly { readonly id: string; readonly pool: Pool }[];

  constructor(options: CallerOptions) {
    this.#options = options;
    this.#pools = options.targets.map(({ id, url }) => ({
      id,
      pool: new Pool(url, {
        connections: CONNECTIONS,
        pipelining: 1,
        keepAliveTimeout: IDLE_MS,
        bodyTimeout: 0,
      }),
    }));
  }

  call(call: Call): void {
    const { workload, function: name, dueMs } = call;
    const via = this.#target(call.turn).id;
    const id = this.#options.ledger.begin({ workload, function: name, via, dueMs });
    this.#send(id, call, 0);
  }

  #target(turn: number): { readonly id: string; readonly pool: Pool } {
    const target = this.#pools[turn % this.#pools.length];
    if (target === undefined) throw new RangeError('no data plane to call');
    return target;
  }

  #send(id: number, call: Call, refusals: number): void {
    const target = this.#target(call.turn + refusals);
    const { function: name, timeoutMs } = call;
    const request = { path: `/function/${name}`, method: 'GET', headersTimeout: timeoutMs } as const;
    target.pool.dispatch(
      request,
      answerTo(name, (cause, error) => {
        const isRefused = codeOf(error) === 'ECONNREFUSED';
        if (!isRefused || refusals + 1 >= this.#pools.length) return this.#end(id, call, cause, target.id);
        this.rerouted++;
        this.#send(id, call, refusals + 1);
      }),
    );
  }

  #end(id: number, { dueMs, onEnd }: Call, cause: Cause, via: string): void {
    const { ledger, chronicle } = this.#options;
    const endMs = chronicle.now();
    ledger.end(id, cause, endMs, via);
    chronicle.ended(endMs, cause === SERVED, endMs - dueMs);
    onEnd(cause === SERVED, endMs - dueMs);
  }

  async close(): Promise<void> {
    await Promise.all(this.#pools.map(({ pool }) => pool.destroy()));
  }
}

/** Exported for its test: what an exchange comes to, told once. */
export function answerTo(
  name: string,
  done: (cause: Cause, error: Error | undefined) => void,
): Dispatcher.DispatchHandler {
  let status = 0;
  let reason = '';
  let body = '';
  return {
    // Without it the client takes the handler for one of its old kind.
    onRequestStart() {},
    onResponseStart(_controller, code, headers) {
      status = code;
      reason = String(headers['x-baton-error'] ?? '');
    },
    onResponseData(_controller, chunk) {
      if (body.length < MAX_BODY) body += chunk.toString('latin1');
    },
    onResponseEnd() {
      if (reason !== '') return done(`${status} ${reason}`, undefined);
      if (status !== 200) return done(`${status} by the function`, undefined);
      done(body.includes(`"function":"${name}"`) ? SERVED : 'answered by another function', undefined);
    },
    onResponseError(_controller, error) {
      done(codeOf(error), error);
    },
  };
}

function codeOf(error: Error | undefined): string {
  const { code, message = '' }: Partial<NodeJS.ErrnoException> = error ?? {};
  return code ?? message;
}
