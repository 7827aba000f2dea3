/**
 * Replicated metadata as it is once it is committed: the log of whoever applied an entry first, against which everybody who
 * applies it later is held; and the specifications that clients of the model register.
 */
import { digest, functionName, type FunctionUid } from '../../../src/lib/ids.ts';
import { MetadataState } from '../../../src/core/metadata/metadata-state.ts';
import type { FunctionRecord, FunctionSpec } from '../../../src/core/model/function.ts';
import type { MetadataCommand } from '../../../src/core/model/metadata.ts';

export interface SpecKnobs {
  readonly min: number;
  /** 0 is none. */
  readonly hardLimit: number;
  /** Requests in flight that one sandbox is meant for. */
  readonly target: number;
}

export class Registry {
  readonly #state = new MetadataState();
  /** By index, from 1. */
  readonly #committed: string[] = [''];
  #versions = 0;

  list(): readonly FunctionRecord[] {
    return this.#state.list();
  }

  get hash(): string {
    return this.#state.hash();
  }

  byUid(uid: FunctionUid): FunctionRecord | undefined {
    return this.#state.byUid(uid);
  }

  /** @returns false: something else was applied under this index before */
  onApplied(index: number, command: MetadataCommand): boolean {
    const text = JSON.stringify(command);
    const known = this.#committed[index];
    if (known !== undefined) return known === text;
    this.#committed.push(text);
    this.#state.apply(index, command);
    return true;
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
}

export function versionOf(spec: FunctionSpec): string {
  return spec.env.find(({ name }) => name === 'VERSION')?.value ?? '';
}
