/** Whoever calls functions: each request ends once (V1), from the function that it was for, in no version older than promised (R5, R7). */
import { Ledger, SERVED } from '../../../../chaos/verifiers/ledger.ts';
import type { ErrorReason } from '../../../../src/data-plane/answers.ts';
import type { SimAnswer } from '../../../sim/sim-http.ts';
import type { SimDataPlane, World } from '../../../sim/world.ts';
import type { Mutation, Mutations } from '../mutations.ts';
import { Request } from '../request.ts';
import type { Committed } from './committed.ts';
import type { Witness } from './witness.ts';

export class Callers {
  readonly #world: World;
  readonly #witness: Witness;
  readonly #committed: Committed;
  readonly #mutations: Mutations;
  readonly #ledger = new Ledger();
  readonly #requests: Request[] = [];

  constructor(world: World, witness: Witness, committed: Committed, mutations: Mutations) {
    this.#world = world;
    this.#witness = witness;
    this.#committed = committed;
    this.#mutations = mutations;
  }

  get count(): number {
    return this.#requests.length;
  }

  get requests(): readonly Request[] {
    return this.#requests;
  }

  get open(): number {
    return this.#ledger.open;
  }

  /** Undefined: nobody listens there. */
  call(name: string, plane: SimDataPlane): Request | undefined {
    const { process } = plane;
    if (process?.alive !== true) return undefined;
    const { nowMs } = this.#world;
    const request = new Request(name, nowMs);
    const promised = this.#promised(name, plane.id);
    const id = this.#ledger.begin({ workload: 'calls', function: name, via: plane.id, dueMs: nowMs });
    const end = (cause: string): void => {
      this.#ledger.end(id, cause, this.#world.nowMs);
      for (const breach of this.#ledger.breaches.splice(0)) this.#world.violation(`V1: ${breach}`);
    };
    const isSent = plane.front.send(`/function/${name}`, [], (answer) => {
      if (!process.alive) return;
      end(answer.status === 200 ? SERVED : `${answer.status} ${answer.reason}`);
      if (request.outcome !== undefined) return;
      request.end(answer.status === 200 ? 'ok' : (answer.reason as ErrorReason));
      this.#judge(request, plane.id, promised, answer);
    });
    if (!isSent) {
      end('nobody listens');
      return undefined;
    }
    process.onExit(() => {
      if (request.outcome !== undefined) return;
      request.end('data plane died');
      end('data plane died');
    });
    this.#requests.push(request);
    return request;
  }

  /** R7. The last mutation that had been acknowledged, where whoever may serve the request has said that it holds it. */
  #promised(name: string, dataPlane: string): Mutation | undefined {
    const last = this.#mutations.acknowledgedBy(name, this.#world.nowMs);
    if (last === undefined) return undefined;
    this.#committed.catchUp();
    const record = this.#committed.registry.list().find(({ spec }) => spec.name === name);
    const mayHop = record === undefined || record.spec.containerConcurrency > 0;
    const servers = mayHop ? this.#world.alive(this.#world.planes).map(({ id }) => id) : [dataPlane];
    return servers.every((id) => this.#witness.heldBy(id) >= last.specIndex) ? last : undefined;
  }

  #judge(request: Request, dataPlane: string, promised: Mutation | undefined, answer: SimAnswer): void {
    const { name } = request;
    if (answer.reason === 'unknown-function' && !this.#mutations.mayBeUnknown(name, request.beganMs))
      this.#world.violation(`R5: ${dataPlane} does not know ${name}, which was acknowledged before`);
    if (answer.status !== 200) return;
    const served = JSON.parse(answer.body) as { readonly name: string; readonly sandbox: string };
    if (served.name !== name)
      this.#world.violation(`R7: a request for ${name} reaches ${served.sandbox} of ${served.name}`);
    const spec = this.#witness.specOf(served.sandbox);
    if (promised === undefined || spec === undefined) return;
    if (promised.version === '' ? spec <= promised.specIndex : spec < promised.specIndex)
      this.#world.violation(
        `R7: through ${dataPlane}, which held the mutation of ${name} at ${promised.specIndex}, spec ${spec} answers`,
      );
  }
}
