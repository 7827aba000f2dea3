/**
 * Clients that register, update and delete, as the API does (control-plane/registrations.ts): a trial before the truth, a command
 * under a request id, an answer once every live data plane has heard. One that insists goes on under the same id until it has
 * an answer; the others may be left not knowing.
 */
import type { LeaderProcess } from './leader-process.ts';
import type { MetadataCommand, MetadataOutcome } from '../../../src/core/model/metadata.ts';
import type { FunctionRecord, FunctionSpec } from '../../../src/core/model/function.ts';
import type { DataPlaneId, FunctionName, SandboxId } from '../../../src/lib/ids.ts';
import type { EventQueue } from '../../sim/event-queue.ts';
import { Mutations, type Mutation } from './mutations.ts';
import { versionOf } from './registry.ts';

const AGAIN_MS = 100;
/** A client hears nothing from a leader that died with its question. */
const UNANSWERED_MS = 5_000;

type Command = Exclude<MetadataCommand, { kind: 'no-op' }>;

interface Attempt {
  readonly mutation: Mutation;
  readonly command: Command;
  /** Undefined for a deletion. */
  readonly spec: FunctionSpec | undefined;
  readonly trial: boolean;
  readonly insists: boolean;
}

export interface RegistrarOptions {
  readonly queue: EventQueue;
  readonly leader: () => LeaderProcess | undefined;
  /** The life of a data plane that runs now. */
  readonly lifeOf: (dataPlane: DataPlaneId) => number | undefined;
}

export class Registrar {
  readonly mutations: Mutations = new Mutations();
  readonly #options: RegistrarOptions;
  #ids = 0;

  constructor(options: RegistrarOptions) {
    this.#options = options;
  }

  put(spec: FunctionSpec, how: { readonly trial: boolean; readonly insists: boolean }): void {
    const requestId = this.#requestId();
    const command: Command = { kind: 'put-function', requestId, spec, ifGeneration: undefined };
    this.#begin({ mutation: this.#note(spec.name, versionOf(spec)), command, spec, ...how });
  }

  delete(name: FunctionName, insists: boolean): void {
    const requestId = this.#requestId();
    const command: Command = { kind: 'delete-function', requestId, name, ifGeneration: undefined };
    this.#begin({ mutation: this.#note(name, ''), command, spec: undefined, trial: false, insists });
  }

  #requestId(): Command['requestId'] {
    return { base: this.#options.leader()?.appliedIndex ?? 0, nonce: `c${++this.#ids}` };
  }

  #note(name: string, version: string): Mutation {
    return this.mutations.begin(name, version, this.#options.queue.nowMs);
  }

  #begin(attempt: Attempt): void {
    const leader = this.#options.leader();
    if (leader === undefined) return this.#notSent(attempt);
    if (!attempt.trial || attempt.spec === undefined || !leader.hasRoom)
      return this.#propose(leader, attempt, undefined);
    const once = this.#once(attempt);
    leader.trial(attempt.spec, (result) => {
      if (!once()) return;
      if (result.ok) this.#propose(leader, attempt, result.sandbox);
      else if (result.reason === 'no-capacity') this.#propose(leader, attempt, undefined);
      else this.#notSent({ ...attempt, trial: false });
    });
  }

  /** It was not proposed this time; an earlier attempt may have been. */
  #notSent(attempt: Attempt): void {
    if (attempt.insists) return this.#again(attempt);
    const { mutation } = attempt;
    if (mutation.outcome === 'pending') mutation.outcome = 'refused';
  }

  #again(attempt: Attempt): void {
    this.#options.queue.after(AGAIN_MS, () => this.#begin(attempt));
  }

  #propose(leader: LeaderProcess, attempt: Attempt, trial: SandboxId | undefined): void {
    const once = this.#once(attempt);
    leader.propose(attempt.command, (outcome) => {
      if (once()) this.#onOutcome(leader, attempt, trial, outcome);
    });
  }

  #onOutcome(
    leader: LeaderProcess,
    attempt: Attempt,
    trial: SandboxId | undefined,
    outcome: MetadataOutcome | 'overtaken',
  ): void {
    if (outcome === 'overtaken') {
      if (trial !== undefined) leader.dropTrial(trial);
      return this.#unanswered(attempt);
    }
    const { mutation, spec } = attempt;
    if (outcome.kind !== 'put' && outcome.kind !== 'deleted') {
      mutation.outcome = 'refused';
      return;
    }
    mutation.specIndex = outcome.specIndex;
    if (outcome.kind === 'put' && spec !== undefined) {
      const record: FunctionRecord = { ...outcome, spec };
      if (trial !== undefined) leader.adoptTrial(trial, record);
      if (outcome.generation === 1) return this.#acknowledge(mutation, new Map());
    }
    const once = this.#once(attempt);
    leader.waitForSpec(outcome.specIndex, (laggards) => {
      if (!once()) return;
      // Of a leader that was deposed meanwhile: it does not know who holds it.
      const live = leader.state === 'leading' ? leader.brain.dataPlanes().filter((row) => row.live) : [];
      const holders = live.flatMap(({ id }): [DataPlaneId, number][] => {
        const life = this.#options.lifeOf(id);
        const isHeard = life !== undefined && leader.lives.get(id) === life;
        return isHeard && !laggards.includes(id) ? [[id, life]] : [];
      });
      this.#acknowledge(mutation, new Map(holders));
    });
  }

  #acknowledge(mutation: Mutation, holders: ReadonlyMap<DataPlaneId, number>): void {
    mutation.outcome = 'acknowledged';
    mutation.acknowledgedMs = this.#options.queue.nowMs;
    mutation.holders = holders;
  }

  #unanswered(attempt: Attempt): void {
    if (attempt.insists) this.#again(attempt);
    else attempt.mutation.outcome = 'unknown';
  }

  /** True the first time, and never once the client has given up on this attempt. */
  #once(attempt: Attempt): () => boolean {
    let isOver = false;
    this.#options.queue.after(UNANSWERED_MS, () => {
      if (isOver) return;
      isOver = true;
      this.#unanswered(attempt);
    });
    return () => {
      const isFirst = !isOver;
      isOver = true;
      return isFirst;
    };
  }
}
