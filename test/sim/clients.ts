/** Users: they register versions of functions, call them, and remember what they were promised. */
import { createHash } from 'node:crypto';
import { Ledger, SERVED } from '../../chaos/verifiers/ledger.ts';
import { documentToWire } from '../../src/api/document.ts';
import { parseFunctionDocument, toFunctionDocument } from '../../src/api/spec.ts';
import { isBatonError } from '../../src/lib/errors.ts';
import { digest, type Digest } from '../../src/lib/ids.ts';
import type { Prng } from '../../src/lib/prng.ts';
import type { PutFunctionReply } from '../../src/wire/gen/baton/api/v1/api.ts';
import { SimProcess } from './process.ts';
import { shuffled } from './shuffled.ts';
import type { SimAnswer } from './sim-http.ts';
import type { SimDataPlane, World } from './world.ts';

export const ARTIFACT: Digest = digest(createHash('sha256').update('simulated').digest('hex'));

export interface Registered {
  readonly name: string;
  /** The last version that anybody tried to register. */
  attempted: number;
  /** The last version that was acknowledged. */
  acknowledged: number;
  /** …and that every data plane confirmed: nothing older may answer a request that is sent from now on. */
  confirmed: number;
  /** What each life of a data plane held when it was acknowledged, which it never goes back behind. */
  readonly held: Map<SimProcess, number>;
}

export interface CallCounts {
  readonly sent: number;
  readonly ok: number;
  readonly failed: number;
}

const PATIENCE_MS = 15_000;
/** The leader has heard a data plane that is back by then, and it the leader. */
const REACH_MS = 3_000;

export class Clients {
  readonly functions: readonly Registered[];
  readonly ledger: Ledger = new Ledger();
  readonly #world: World;
  readonly #random: Prng;
  readonly #process: SimProcess;
  running = true;

  constructor(world: World) {
    this.#world = world;
    this.#random = world.random.fork('clients');
    this.#process = new SimProcess('client', world.scheduler);
    this.functions = Array.from({ length: world.options.functions }, (_, i) => ({
      name: `fn-${i + 1}`,
      attempted: 0,
      acknowledged: 0,
      confirmed: 0,
      held: new Map(),
    }));
  }

  start(): void {
    for (const fn of this.functions) {
      void this.#writer(fn);
      void this.#caller(fn);
    }
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#process.clock.after(ms, resolve));
  }

  async #writer(fn: Registered): Promise<void> {
    while (this.running) {
      await this.register(fn);
      await this.#sleep(200 + this.#random.below(1_500));
    }
  }

  /** Tries until it is acknowledged or `running` ends, always under the same request id. */
  async register(fn: Registered): Promise<void> {
    const version = ++fn.attempted;
    const spec = parseFunctionDocument({
      name: fn.name,
      artifact: ARTIFACT,
      entry: 'index.mjs',
      env: { VERSION: String(version) },
      stableWindowMs: 2_000,
      min: 1,
    });
    let requestId: string | undefined;
    for (;;) {
      // Only the first version must be there, whatever happens.
      if (!this.running && version > 1) return;
      const [replica] = shuffled(this.#world.alive(this.#world.replicas), this.#random);
      if (replica?.service !== undefined && replica.controlPlane?.isReady() === true) {
        requestId ??= `${replica.controlPlane.raft().commit}-${fn.name}-${version}`;
        const request = {
          function: documentToWire(toFunctionDocument(spec)),
          requestId,
          ifGeneration: undefined,
          trial: this.#random.below(3) === 0,
        };
        const outcome = await Promise.race([
          replica.service.call('putFunction', request, false).then(
            (reply) => ({ reply }),
            (error: unknown) => ({ error }),
          ),
          this.#sleep(4_000).then(() => undefined),
        ]);
        if (outcome !== undefined && 'reply' in outcome)
          return this.#acknowledged(fn, version, outcome.reply);
        const error = outcome?.error;
        if (isBatonError(error, 'request-expired')) return;
        // A refused request is spent: whoever tries again asks anew.
        if (isBatonError(error, 'trial-failed') || isBatonError(error, 'conflict')) requestId = undefined;
      }
      await this.#sleep(50 + this.#random.below(200));
    }
  }

  #acknowledged(fn: Registered, version: number, reply: PutFunctionReply): void {
    fn.acknowledged = Math.max(fn.acknowledged, version);
    if (reply.laggards.length === 0) fn.confirmed = Math.max(fn.confirmed, version);
    const leader = this.#world.leader()?.controlPlane;
    for (const row of leader?.dataPlanes() ?? []) {
      const process = this.#world.planes.find(({ id }) => id === row.id)?.process;
      const isHolder = row.live && row.specIndex >= reply.specIndex && !reply.laggards.includes(row.id);
      if (isHolder && process !== undefined)
        fn.held.set(process, Math.max(fn.held.get(process) ?? 0, version));
    }
    this.#world.tell(
      `${fn.name} version ${version} acknowledged, generation ${reply.generation}${reply.laggards.length === 0 ? '' : `, laggards ${reply.laggards.join(' ')}`}`,
    );
  }

  async #caller(fn: Registered): Promise<void> {
    while (this.running) {
      if (fn.acknowledged > 0) void this.call(fn, undefined);
      await this.#sleep(this.#world.options.callEveryMs * (0.4 + 1.2 * this.#random.float()));
    }
  }

  /** @returns true when the function itself answered */
  async call(fn: Registered, through: SimDataPlane | undefined): Promise<boolean> {
    const plane = through ?? shuffled(this.#world.alive(this.#world.planes), this.#random)[0];
    if (plane?.plane === undefined) return false;
    const atLeast = this.#atLeast(fn, plane);
    const answer = await this.#ask(fn.name, plane);
    if (answer?.status !== 200) return false;
    const { name, version, sandbox } = JSON.parse(answer.body) as {
      name: string;
      version: string;
      sandbox: string;
    };
    if (name !== fn.name) this.#world.violation(`R7: ${fn.name} was answered by ${sandbox} of ${name}`);
    if (Number(version) < atLeast && plane.process?.alive === true)
      this.#world.violation(
        `${fn.name}: version ${version} answered a request sent after version ${atLeast} was confirmed`,
      );
    return true;
  }

  /** The oldest version that may answer through it. */
  #atLeast(fn: Registered, { id, plane, process }: SimDataPlane): number {
    const held = (process === undefined ? undefined : fn.held.get(process)) ?? 0;
    // Began from its file and nobody has led since, or out of reach for so long that the leader confirmed without it: it was no
    // live one then, and knows no better.
    const isHeard = plane?.isConfirmed === true && this.#world.isWithinReach(id, REACH_MS);
    return Math.max(held, isHeard ? fn.confirmed : 0);
  }

  /** V1: whoever is still there is answered once. */
  async #ask(name: string, { id, front }: SimDataPlane): Promise<SimAnswer | undefined> {
    const now = (): number => this.#world.nowMs;
    const call = this.ledger.begin({ workload: 'calls', function: name, via: id, dueMs: now() });
    let hasLeft = false;
    const answer = await Promise.race([
      new Promise<SimAnswer>((resolve) => {
        front.send(`/function/${name}`, [], (given) => {
          if (hasLeft) return;
          this.ledger.end(call, given.status === 200 ? SERVED : `${given.status} ${given.reason}`, now());
          resolve(given);
        });
      }),
      this.#sleep(PATIENCE_MS).then(() => undefined),
    ]);
    hasLeft = answer === undefined;
    if (hasLeft) this.ledger.end(call, 'no answer', now());
    return answer;
  }

  get calls(): CallCounts {
    const { begun, failed, open } = this.ledger;
    return { sent: begun, ok: begun - failed - open, failed };
  }
}
