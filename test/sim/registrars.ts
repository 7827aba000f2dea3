/** Clients that register, delete and read the same few names through every replica; what they saw must fit one copy. */
import { checkLinearizable } from '../../chaos/verifiers/linearizability.ts';
import {
  label,
  registryModel,
  type RegistryInput,
  type RegistryOperation,
  type RegistryOutput,
} from '../../chaos/verifiers/registry-model.ts';
import { timelineSvg } from '../../chaos/verifiers/timeline.ts';
import { attemptOf, type Attempt } from '../../chaos/verifiers/registry-answers.ts';
import { documentToWire } from '../../src/api/document.ts';
import { parseFunctionDocument, toFunctionDocument } from '../../src/api/spec.ts';
import { explain, isBatonError, type ErrorCode } from '../../src/lib/errors.ts';
import type { Prng } from '../../src/lib/prng.ts';
import type { FunctionMessage } from '../../src/wire/gen/baton/api/v1/api.ts';
import { ARTIFACT } from './clients.ts';
import { SimProcess } from './process.ts';
import type { World } from './world.ts';

const NAMES = ['lin-1', 'lin-2', 'lin-3'];
const plainFunction = documentToWire(
  toFunctionDocument(parseFunctionDocument({ name: 'plain', artifact: ARTIFACT, entry: 'index.mjs' })),
);
const ATTEMPT_MS = 2_500;
const MAX_ATTEMPTS = 6;
const MAX_EXPLORED = 400_000;

/** A single call that ends so did nothing (ErrorCode), and may be made again: nobody but the replica that was asked had it. */
const DENIES: ReadonlySet<ErrorCode> = new Set(['no-leader', 'not-leader']);

export class Registrars {
  readonly history: Map<string, RegistryOperation[]> = new Map(NAMES.map((name) => [name, []]));
  readonly #world: World;
  readonly #process: SimProcess;
  /** Writes that are under way. */
  readonly #open = new Map<RegistryOperation, string>();
  #running = true;
  #ids = 0;

  constructor(world: World) {
    this.#world = world;
    this.#process = new SimProcess('registrars', world.scheduler);
  }

  get operations(): number {
    let sum = 0;
    for (const list of this.history.values()) sum += list.length;
    return sum;
  }

  start(): void {
    for (let i = 1; i <= this.#world.options.registrars; i++) {
      void this.#run(`c${i}`, this.#world.random.fork(`registrar/${i}`));
    }
  }

  stop(): void {
    this.#running = false;
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#process.clock.after(ms, resolve));
  }

  async #run(client: string, random: Prng): Promise<void> {
    while (this.#running) {
      await this.#sleep(this.#world.options.operateEveryMs * (0.2 + 1.6 * random.float()));
      const name = NAMES[random.below(NAMES.length)] ?? '';
      const roll = random.below(10);
      const input: RegistryInput =
        roll < 4
          ? { kind: 'get' }
          : roll < 9
            ? {
                kind: 'put',
                version: `${client}-${++this.#ids}`,
                ifGeneration: roll === 8 ? random.below(3) : undefined,
              }
            : { kind: 'delete' };
      await this.#operate(client, random, name, input);
    }
  }

  async #operate(client: string, random: Prng, name: string, input: RegistryInput): Promise<void> {
    const callMs = this.#world.nowMs;
    const open = { client, callMs, returnMs: Number.POSITIVE_INFINITY, input, output: undefined };
    if (input.kind !== 'get') this.#open.set(open, name);
    await this.#try(open, random, name);
    this.#open.delete(open);
  }

  async #try(open: RegistryOperation, random: Prng, name: string): Promise<void> {
    const { client, callMs, input } = open;
    let requestId = '';
    let isUnclear = false;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const replicas = this.#world
        .alive(this.#world.replicas)
        .filter(({ controlPlane }) => controlPlane?.isReady() === true);
      const replica = replicas[random.below(Math.max(1, replicas.length))];
      if (replica?.service === undefined || replica.controlPlane === undefined) {
        await this.#sleep(200);
        continue;
      }
      if (requestId === '') requestId = `${replica.controlPlane.raft().commit}-${client}-${++this.#ids}`;
      const result = await Promise.race([
        this.#attempt(replica.service, name, input, requestId),
        this.#sleep(ATTEMPT_MS).then((): Attempt => ({ kind: 'unclear', code: 'timeout' })),
      ]);
      if (result.kind === 'done') {
        this.#record(name, { client, callMs, returnMs: this.#world.nowMs, input, output: result.output });
        return;
      }
      // Its request id is spent.
      if (result.kind === 'refused') return;
      if (!DENIES.has(result.code)) isUnclear = true;
      await this.#sleep(50 + random.below(200));
    }
    // A read that nobody answered says nothing; a write may take effect at any time from its call on.
    if (input.kind !== 'get' && isUnclear) this.#record(name, open);
  }

  #record(name: string, operation: RegistryOperation): void {
    this.history.get(name)?.push(operation);
  }

  async #attempt(
    service: NonNullable<World['replicas'][number]['service']>,
    name: string,
    input: RegistryInput,
    requestId: string,
  ): Promise<Attempt> {
    try {
      switch (input.kind) {
        case 'get':
          return { kind: 'done', output: found(await service.call('getFunction', { name }, false)) };
        case 'delete': {
          const { uid } = await service.call(
            'deleteFunction',
            { name, requestId, ifGeneration: undefined },
            false,
          );
          return { kind: 'done', output: { kind: 'deleted', uid } };
        }
        case 'put': {
          const request = {
            function: { ...plainFunction, name, env: { VERSION: input.version } },
            requestId,
            ifGeneration: input.ifGeneration,
            trial: false,
          };
          const { uid, generation } = await service.call('putFunction', request, false);
          return { kind: 'done', output: { kind: 'put', uid, generation } };
        }
        default:
          return input satisfies never;
      }
    } catch (error) {
      const told = attemptOf(error);
      if (told !== undefined) return told;
      const code = isBatonError(error) ? error.code : 'internal';
      this.#world.violation(`API: ${input.kind} ${name} was told ${code}: ${explain(error)}`);
      return { kind: 'unclear', code };
    }
  }

  /** LIN, per name. @returns pictures of what is wrong, by name */
  check(): Map<string, string> {
    // What they do may have been seen already.
    for (const [operation, name] of this.#open) this.#record(name, operation);
    this.#open.clear();
    const pictures = new Map<string, string>();
    for (const [name, history] of this.history) {
      const verdict = checkLinearizable(history, registryModel, MAX_EXPLORED);
      if (verdict.kind === 'linearizable') continue;
      if (verdict.kind === 'unknown') {
        this.#world.violation(`LIN: ${name}: undecided after ${MAX_EXPLORED} steps`);
        continue;
      }
      const [stuck] = verdict.stuck;
      this.#world.violation(
        `LIN: ${name}: no single copy fits ${history.length} operations; ${stuck === undefined ? '' : label(stuck)} follows nothing`,
      );
      pictures.set(name, timelineSvg(`seed ${this.#world.options.seed}, ${name}`, history, verdict, label));
    }
    return pictures;
  }
}

function found({ uid, generation, spec }: FunctionMessage): RegistryOutput {
  return { kind: 'found', uid, generation, version: spec?.env['VERSION'] ?? '' };
}
