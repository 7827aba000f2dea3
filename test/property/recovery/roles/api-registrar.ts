/**
 * Clients that register, delete and cordon through the API of any replica. One that insists goes on under the same request id until
 * it has an answer; the others may be left not knowing.
 */
import { documentToWire } from '../../../../src/api/document.ts';
import { toFunctionDocument } from '../../../../src/api/spec.ts';
import type { Cordon } from '../../../../src/core/model/command.ts';
import type { FunctionSpec } from '../../../../src/core/model/function.ts';
import { isBatonError } from '../../../../src/lib/errors.ts';
import type { Prng } from '../../../../src/lib/prng.ts';
import { SimProcess } from '../../../sim/process.ts';
import type { SimReplica, World } from '../../../sim/world.ts';
import { Mutations, type Mutation } from '../mutations.ts';
import { versionOf } from '../registry.ts';
import type { Committed } from './committed.ts';

const AGAIN_MS = 100;
/** A client hears nothing from a replica that died with its question. */
const UNANSWERED_MS = 6_000;

/** What has not taken effect under its request id and never will. */
const REFUSALS = ['trial-failed', 'conflict', 'not-found', 'no-capacity', 'invalid-argument'] as const;

interface Wish {
  readonly mutation: Mutation;
  /** Undefined: it is to be deleted. */
  readonly spec: FunctionSpec | undefined;
  readonly insists: boolean;
}

/** One attempt. `generation`: of a put. */
type Reply =
  | { readonly kind: 'done'; readonly specIndex: number | undefined }
  | { readonly kind: 'refused' }
  | { readonly kind: 'unclear' };

type Service = NonNullable<SimReplica['service']>;

export class ApiRegistrar {
  readonly mutations: Mutations = new Mutations();
  readonly #world: World;
  readonly #committed: Committed;
  readonly #random: Prng;
  readonly #process: SimProcess;
  #ids = 0;
  #cordons = 0;

  constructor(world: World, committed: Committed) {
    this.#world = world;
    this.#committed = committed;
    this.#random = world.random.fork('registrar');
    this.#process = new SimProcess('registrar', world.scheduler);
  }

  get open(): number {
    return this.mutations.open + this.#cordons;
  }

  put(spec: FunctionSpec, { trial, insists }: { readonly trial: boolean; readonly insists: boolean }): void {
    const mutation = this.mutations.begin(spec.name, versionOf(spec), this.#world.nowMs);
    void this.#fulfil({ mutation, spec, insists }, trial);
  }

  delete(name: string, insists: boolean): void {
    const mutation = this.mutations.begin(name, '', this.#world.nowMs);
    void this.#fulfil({ mutation, spec: undefined, insists }, false);
  }

  cordon(worker: string, { on, drain }: Cordon): void {
    const service = this.#replica()?.service;
    if (service === undefined) return;
    this.#cordons++;
    const told: Promise<unknown> = drain
      ? service.call('drainWorker', { worker }, false)
      : service.call('setCordon', { worker, on }, false);
    void this.#withPatience(told.catch(() => undefined)).then(() => this.#cordons--);
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#process.clock.after(ms, resolve));
  }

  #withPatience<T>(reply: Promise<T>): Promise<T | undefined> {
    return Promise.race([reply, this.#sleep(UNANSWERED_MS).then(() => undefined)]);
  }

  #replica(): SimReplica | undefined {
    const ready = this.#world
      .alive(this.#world.replicas)
      .filter(({ process, controlPlane }) => process?.paused === false && controlPlane?.isReady() === true);
    return ready[this.#random.below(Math.max(1, ready.length))];
  }

  async #fulfil(wish: Wish, withTrial: boolean): Promise<void> {
    const { mutation, insists } = wish;
    let trial = withTrial;
    let requestId = '';
    for (;;) {
      const replica = this.#replica();
      let reply: Reply = { kind: 'refused' };
      if (replica?.service !== undefined && replica.controlPlane !== undefined) {
        if (requestId === '') requestId = `${replica.controlPlane.raft().commit}-c${++this.#ids}`;
        reply = await this.#ask(replica.service, wish, requestId, trial);
      } else if (requestId !== '') reply = { kind: 'unclear' };
      if (reply.kind === 'done') return this.#acknowledge(mutation, requestId, reply.specIndex);
      if (reply.kind === 'refused' && (!insists || wish.spec === undefined) && requestId !== '') {
        mutation.outcome = 'refused';
        return;
      }
      if (!insists) {
        mutation.outcome = reply.kind === 'refused' ? 'refused' : 'unknown';
        return;
      }
      // A refused request is spent: whoever tries again asks anew.
      if (reply.kind === 'refused') {
        requestId = '';
        trial = false;
      }
      await this.#sleep(AGAIN_MS);
    }
  }

  async #ask(service: Service, { mutation, spec }: Wish, requestId: string, trial: boolean): Promise<Reply> {
    try {
      const reply = await this.#withPatience(this.#send(service, mutation.name, spec, requestId, trial));
      return reply === undefined ? { kind: 'unclear' } : { kind: 'done', specIndex: reply.specIndex };
    } catch (error) {
      return REFUSALS.some((code) => isBatonError(error, code)) ? { kind: 'refused' } : { kind: 'unclear' };
    }
  }

  async #send(
    service: Service,
    name: string,
    spec: FunctionSpec | undefined,
    requestId: string,
    trial: boolean,
  ): Promise<{ readonly specIndex: number | undefined }> {
    const common = { requestId, ifGeneration: undefined };
    if (spec !== undefined)
      return service.call(
        'putFunction',
        { ...common, function: documentToWire(toFunctionDocument(spec)), trial },
        false,
      );
    await service.call('deleteFunction', { ...common, name }, false);
    return { specIndex: undefined };
  }

  /** Where a deletion is in the log is seen there: nobody says it. */
  async #acknowledge(mutation: Mutation, requestId: string, specIndex: number | undefined): Promise<void> {
    const acknowledgedMs = this.#world.nowMs;
    let index = specIndex ?? this.#committed.indexOf(requestId);
    while (index === undefined) {
      await this.#sleep(1);
      index = this.#committed.indexOf(requestId);
    }
    mutation.specIndex = index;
    mutation.acknowledgedMs = acknowledgedMs;
    mutation.outcome = 'acknowledged';
  }
}
