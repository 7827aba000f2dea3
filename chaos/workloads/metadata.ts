/**
 * Clients that register, update, delete and read the same few names through every replica, and keep what they did and saw.
 * A mutation is retried under its request id, through one replica after the other: with all its retries it is one operation.
 */
import { createHash, randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { ApiClient } from '../../src/api/client.ts';
import { assert } from '../../src/lib/assert.ts';
import { explain, isBatonError } from '../../src/lib/errors.ts';
import type { Prng } from '../../src/lib/prng.ts';
import type { History } from '../histories/history.ts';
import { until } from '../until.ts';
import type { RegistryInput, RegistryOutput } from '../verifiers/registry-model.ts';
import type { Attempt } from '../verifiers/registry-answers.ts';
import { attempt } from './registry-calls.ts';

const ARTIFACT_TIMEOUT_MS = 20_000;
/** Names that all clients fight over. */
const SHARED_NAMES = 20;
/** Names that are registered once and never deleted: each must be there at the end. */
const KEPT_NAMES = 400;
const KEPT_PCT = 3;
/** Shorter than what a replica waits for a leader, so that late first tries meet early second ones. */
const ATTEMPT_MS = 2_500;
const PATIENCE_MS = 60_000;
const THINK_MS = { least: 20, spread: 160 };

export interface MetadataClient {
  readonly name: string;
  /** Goes to whatever replica does not lead. */
  readonly avoidsLeader: boolean;
  /** Asks whoever is up, and gives up when the answer is lost: what it asked for may have happened, or not. */
  readonly isImpatient: boolean;
}

/** Nine who go anywhere and insist, two who only talk to followers, one who never asks twice. */
export const twelveClients: readonly MetadataClient[] = Array.from({ length: 12 }, (_, i) => ({
  name: `c${String(i + 1).padStart(2, '0')}`,
  avoidsLeader: i === 9 || i === 10,
  isImpatient: i === 11,
}));

export interface WorkloadWorld {
  readonly history: History;
  readonly replicas: readonly { readonly id: string; readonly client: ApiClient }[];
  readonly signal: AbortSignal;
  /** Id of whoever leads, as far as anybody knows. */
  leader(): string;
  /** Whether the replica answered when it was last looked at. */
  isUp(id: string): boolean;
}

export class MetadataWorkload {
  /** Calls that were not answered with an outcome, by error code. */
  readonly failedCalls: Map<string, number> = new Map();
  /** Answers that no client should ever get; each ended its client. */
  readonly failures: string[] = [];
  /** Operations that were answered after more than one call. */
  retried = 0;
  open = 0;
  readonly #world: WorkloadWorld;
  readonly #artifact: string;
  #running = true;
  #kept = 0;
  #loops: Promise<void>[] = [];

  private constructor(world: WorkloadWorld, artifact: string) {
    this.#world = world;
    this.#artifact = artifact;
  }

  /** Every function names one artifact, which is never unpacked: nothing is started here. */
  static async prepare(world: WorkloadWorld): Promise<MetadataWorkload> {
    const bytes = gzipSync('export default { fetch: () => new Response() };');
    const artifact = createHash('sha256').update(bytes).digest('hex');
    for (const { id, client } of world.replicas)
      await until(`the artifact through ${id}`, ARTIFACT_TIMEOUT_MS, world.signal, () =>
        client.upload(bytes, artifact).catch(() => undefined),
      );
    return new MetadataWorkload(world, artifact);
  }

  start(clients: readonly MetadataClient[], random: Prng): void {
    this.#loops = clients.map(async (client) => {
      try {
        await this.#run(client, random.fork(client.name));
      } catch (error) {
        if (!isBatonError(error, 'canceled')) this.failures.push(`${client.name}: ${explain(error)}`);
      }
    });
  }

  /** Resolves when the last operation has ended. */
  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#loops);
  }

  /** Reads everything once more through this replica; each read is an operation like any other. */
  async readAll(id: string): Promise<Map<string, RegistryOutput>> {
    const { history } = this.#world;
    const seen = new Map<string, RegistryOutput>();
    const { client } = this.#world.replicas.find((replica) => replica.id === id) ?? {};
    if (client === undefined) return seen;
    for (const name of history.names()) {
      const callMs = history.now();
      const output = await until(`${name} read through ${id}`, PATIENCE_MS, this.#world.signal, async () => {
        const result = await attempt(client, { name, input: { kind: 'get' }, requestId: '' }, ATTEMPT_MS);
        return result.kind === 'done' && result.output;
      });
      history.record(name, {
        client: `end-${id}`,
        callMs,
        returnMs: history.now(),
        input: { kind: 'get' },
        output,
      });
      seen.set(name, output);
    }
    return seen;
  }

  async #run(client: MetadataClient, random: Prng): Promise<void> {
    const memory = new Map<string, number>();
    let count = 0;
    while (this.#running && !this.#world.signal.aborted) {
      await sleep(THINK_MS.least + random.below(THINK_MS.spread));
      const isKept = this.#kept < KEPT_NAMES && random.below(100) < KEPT_PCT;
      const name = isKept ? `kept-${++this.#kept}` : `shared-${1 + random.below(SHARED_NAMES)}`;
      const version = `${client.name}-${++count}`;
      const input: RegistryInput = isKept
        ? { kind: 'put', version, ifGeneration: undefined }
        : drawInput(random, version, memory.get(name) ?? 0);
      const output = await this.#operate(client, random, name, input);
      const generation = generationSeen(output);
      if (generation !== undefined) memory.set(name, generation);
    }
  }

  async #operate(
    client: MetadataClient,
    random: Prng,
    name: string,
    input: RegistryInput,
  ): Promise<RegistryOutput | undefined> {
    const { history, signal } = this.#world;
    const requestId = input.kind === 'get' ? '' : await this.#newRequestId();
    const callMs = history.now();
    const deadline = callMs + PATIENCE_MS;
    const first = random.below(this.#world.replicas.length);
    let mayHaveHappened = false;
    this.open++;
    try {
      for (let calls = 1; ; calls++) {
        const api = this.#route(client, first + calls);
        const result: Attempt = await attempt(
          api,
          { name, input, requestId, artifact: this.#artifact },
          ATTEMPT_MS,
        );
        if (result.kind === 'done') {
          if (calls > 1) this.retried++;
          const { output } = result;
          history.record(name, { client: client.name, callMs, returnMs: history.now(), input, output });
          return output;
        }
        this.failedCalls.set(result.code, (this.failedCalls.get(result.code) ?? 0) + 1);
        // Its request id is spent.
        if (result.kind === 'refused') return undefined;
        mayHaveHappened = true;
        if (client.isImpatient || history.now() > deadline || signal.aborted) break;
        await sleep(20 + random.below(100));
      }
    } finally {
      this.open--;
    }
    // A read that nobody answered says nothing; a mutation may take effect at any time from its call on.
    if (input.kind !== 'get' && mayHaveHappened)
      history.record(name, {
        client: client.name,
        callMs,
        returnMs: Number.POSITIVE_INFINITY,
        input,
        output: undefined,
      });
    return undefined;
  }

  #route(client: MetadataClient, turn: number): ApiClient {
    const { replicas } = this.#world;
    const leader = this.#world.leader();
    const allowed = replicas.filter(({ id }) => {
      if (client.avoidsLeader) return id !== leader;
      return !client.isImpatient || this.#world.isUp(id);
    });
    const replica = allowed[turn % allowed.length] ?? replicas[turn % replicas.length];
    assert(replica !== undefined, 'there are replicas');
    return replica.client;
  }

  /** Based on a commit index that some replica gave, whichever answers. */
  async #newRequestId(): Promise<string> {
    const { replicas, signal } = this.#world;
    let turn = 0;
    const commitIndex = await until('a replica for a commit index', PATIENCE_MS, signal, async () => {
      const replica = replicas[turn++ % replicas.length];
      const status = await replica?.client.call('getReplica', {}).catch(() => undefined);
      return status?.voter === true && { value: status.commitIndex };
    });
    return `${commitIndex.value}-${randomBytes(9).toString('base64url')}`;
  }
}

/** Of ten: four reads, five registrations, one delete; a third of the registrations say which generation they replace. */
function drawInput(random: Prng, version: string, generation: number): RegistryInput {
  const roll = random.below(10);
  if (roll < 4) return { kind: 'get' };
  if (roll === 9) return { kind: 'delete' };
  return { kind: 'put', version, ifGeneration: random.below(3) === 0 ? generation : undefined };
}

function generationSeen(output: RegistryOutput | undefined): number | undefined {
  switch (output?.kind) {
    case 'put':
    case 'found':
    case 'conflict':
      return output.generation;
    case 'deleted':
    case 'absent':
      return 0;
    case undefined:
      return undefined;
    default:
      return output satisfies never;
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));
