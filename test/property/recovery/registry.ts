/** Replicated metadata, as Raft would hand it to each leader: one list, one index. */
import { digest, functionName, functionUid, type FunctionUid } from '../../../src/lib/ids.ts';
import type { FunctionRecord, FunctionSpec } from '../../../src/core/model/function.ts';

export interface SpecKnobs {
  readonly min: number;
  /** 0 is none. */
  readonly hardLimit: number;
  /** Requests in flight that one sandbox is meant for. */
  readonly target: number;
}

export class Registry {
  readonly #byName = new Map<string, FunctionRecord>();
  #index = 0;
  #specIndex = 0;
  #versions = 0;

  /** Of the last registration or deletion. */
  get specIndex(): number {
    return this.#specIndex;
  }

  get index(): number {
    return this.#index;
  }

  list(): FunctionRecord[] {
    return [...this.#byName.values()];
  }

  get(name: string): FunctionRecord | undefined {
    return this.#byName.get(name);
  }

  byUid(uid: FunctionUid): FunctionRecord | undefined {
    return this.list().find((record) => record.uid === uid);
  }

  /** A leader's first entry in its term. */
  noop(): void {
    this.#index++;
  }

  /** Each attempt is another version, so that its sandboxes are told from all others. */
  spec(name: string, { min, hardLimit, target }: SpecKnobs): FunctionSpec {
    return {
      name: functionName(name),
      runtime: 'javascript',
      artifact: digest('a'.repeat(64)),
      artifactBytes: 1,
      entry: 'index.mjs',
      command: [],
      env: [{ name: 'VERSION', value: String(++this.#versions) }],
      containerConcurrency: hardLimit,
      scaling: {
        target,
        targetUtilizationPct: 100,
        min,
        max: 6,
        initial: 0,
        activation: 1,
        stableWindowMs: 2_000,
        panicWindowPct: 50,
        panicThresholdPct: 200,
        maxScaleUpRate: 10,
        maxScaleDownRate: 2,
        scaleDownDelayMs: 0,
        scaleToZeroGraceMs: 0,
        burstCapacity: 0,
      },
      timeoutMs: 2_000,
      queueTimeoutMs: 4_000,
      resources: { cpuMillis: 100, memoryMiB: 64 },
      loadBalancing: 'two-choices',
      placement: 'default',
      selector: [],
    };
  }

  put(spec: FunctionSpec): FunctionRecord {
    const before = this.#byName.get(spec.name);
    const specIndex = this.#mutate();
    const record: FunctionRecord = {
      uid: before?.uid ?? functionUid(specIndex),
      generation: (before?.generation ?? 0) + 1,
      specIndex,
      spec,
    };
    this.#byName.set(spec.name, record);
    return record;
  }

  delete(name: string): FunctionRecord | undefined {
    const record = this.#byName.get(name);
    if (record === undefined) return undefined;
    this.#mutate();
    this.#byName.delete(name);
    return record;
  }

  #mutate(): number {
    this.#specIndex = ++this.#index;
    return this.#index;
  }
}

export function versionOf(spec: FunctionSpec): string {
  return spec.env.find(({ name }) => name === 'VERSION')?.value ?? '';
}
