/** What clients did and saw, by function, with one monotonic clock. */
import type { RegistryInput, RegistryOperation } from '../verifiers/registry-model.ts';

export interface Distribution {
  readonly n: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export class History {
  readonly #beganMs: number = performance.now();
  readonly #byName = new Map<string, RegistryOperation[]>();
  #operations = 0;
  #unknown = 0;

  /** Milliseconds since the history began. */
  now(): number {
    return performance.now() - this.#beganMs;
  }

  record(name: string, operation: RegistryOperation): void {
    const list = this.#byName.get(name);
    if (list === undefined) this.#byName.set(name, [operation]);
    else list.push(operation);
    this.#operations++;
    if (operation.output === undefined) this.#unknown++;
  }

  get operations(): number {
    return this.#operations;
  }

  /** Operations whose outcome nobody learned. */
  get unknown(): number {
    return this.#unknown;
  }

  names(): string[] {
    return [...this.#byName.keys()];
  }

  of(name: string): readonly RegistryOperation[] {
    return this.#byName.get(name) ?? [];
  }

  entries(): IterableIterator<[string, readonly RegistryOperation[]]> {
    return this.#byName.entries();
  }

  /** Of operations that were answered, retries included, in milliseconds. */
  latencies(kind: RegistryInput['kind']): Distribution {
    const values: number[] = [];
    for (const list of this.#byName.values())
      for (const { input, callMs, returnMs } of list)
        if (input.kind === kind && Number.isFinite(returnMs)) values.push(returnMs - callMs);
    values.sort((a, b) => a - b);
    const at = (share: number): number =>
      round(values[Math.min(values.length - 1, Math.floor(share * values.length))] ?? 0);
    return { n: values.length, p50: at(0.5), p99: at(0.99), max: round(values.at(-1) ?? 0) };
  }
}

const round = (ms: number): number => Math.round(ms * 10) / 10;
