/**
 * What scenarios under traffic have in common: functions that serve, clients that call them, somebody who watches, and faults
 * one after the other. At the end all are asked the same (judgement.ts).
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BatonError, explain, isBatonError } from '../src/lib/errors.ts';
import { Chronicle } from './histories/chronicle.ts';
import { Observer } from './observer.ts';
import { usageOf } from './proc.ts';
import type { ScenarioWorld } from './scenario.ts';
import type { Stage } from './stage.ts';
import { until } from './until.ts';
import { Ledger } from './verifiers/ledger.ts';
import type { Usage } from './verifiers/resources.ts';
import { difference } from './views.ts';
import { Caller } from './workloads/caller.ts';
import { ColdBursts, ColdTrickle } from './workloads/cold.ts';
import { RegistryClients } from './workloads/registry.ts';
import { WarmTraffic } from './workloads/warm.ts';

const SETTLE_TIMEOUT_MS = 60_000;
const FIRST_TIMEOUT_MS = 60_000;
const COLD_TIMEOUT_MS = 60_000;
const PROGRESS_MS = 1_000;

/** Answers with its own name, as simulated sandboxes do. */
const ECHO = `export default (_request, env) => ({ function: env.BATON_FUNCTION, sandbox: env.BATON_SANDBOX });\n`;

export interface PlayOptions {
  /** Functions that are kept warm, and how many sandboxes each has. */
  readonly functions: number;
  readonly sandboxes: number;
  /** Of these functions; undefined: the platform's own. */
  readonly timeoutMs?: number;
  readonly ratePerSecond: number;
  /** Cold starts at all times: one of these functions, which are at zero, is called each so often. */
  readonly cold?: { readonly functions: number; readonly everyMs: number };
  /** Who registers, updates, deletes and reads meanwhile. */
  readonly clients?: number;
}

export class Play {
  readonly world: ScenarioWorld;
  readonly stage: Stage;
  readonly chronicle: Chronicle = new Chronicle();
  readonly ledger: Ledger = new Ledger();
  readonly observer: Observer;
  readonly warmFunctions: readonly string[];
  readonly warm: WarmTraffic;
  readonly cold: ColdBursts;
  readonly caller: Caller;
  /** Undefined: the scenario has none of them. */
  trickle: ColdTrickle | undefined;
  clients: RegistryClients | undefined;
  /** Idle, before any traffic. */
  baseline: ReadonlyMap<string, Usage> = new Map();
  readonly #teller: NodeJS.Timeout;
  #act = 'preparing';
  /** What went wrong under a fault, and in healing it. */
  readonly misconduct: string[] = [];
  #artifact: { readonly artifact: string; readonly entry: string } | undefined;

  private constructor(world: ScenarioWorld, options: PlayOptions) {
    const { stage } = world;
    const { chronicle, ledger } = this;
    this.world = world;
    this.stage = stage;
    this.observer = new Observer(stage, chronicle);
    this.caller = new Caller({ targets: stage.dataPlanes, ledger, chronicle });
    this.warmFunctions = Array.from({ length: options.functions }, (_, i) => `warm-${i + 1}`);
    const caller = this.caller;
    const { ratePerSecond } = options;
    this.warm = new WarmTraffic({ caller, chronicle, functions: this.warmFunctions, ratePerSecond });
    this.cold = new ColdBursts({ caller, chronicle, timeoutMs: COLD_TIMEOUT_MS });
    this.#teller = setInterval(() => this.#tell(), PROGRESS_MS);
  }

  /** Resolves under steady traffic, when all are of one mind. */
  static async open(world: ScenarioWorld, options: PlayOptions): Promise<Play> {
    const play = new Play(world, options);
    const { observer, chronicle, stage, warm } = play;
    const { functions, sandboxes, timeoutMs, cold, clients, ratePerSecond } = options;
    try {
      observer.start();
      await play.deploy(play.warmFunctions, {
        min: sandboxes,
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      });
      if (cold !== undefined) await play.#prepareCold(cold.functions, cold.everyMs);
      if (clients !== undefined) play.clients = await RegistryClients.prepare(stage, observer, chronicle);
      await play.untilSettled(SETTLE_TIMEOUT_MS);
      play.baseline = play.usage();
      play.trickle?.start();
      if (clients !== undefined) play.clients?.start(clients, world.random.fork('clients'));
      if (functions > 0) warm.start();
      await until('the first requests', FIRST_TIMEOUT_MS, stage.signal, () => {
        return functions === 0 || warm.sent - warm.open >= ratePerSecond;
      });
      return play;
    } catch (error) {
      await play.stop();
      throw error;
    }
  }

  async #prepareCold(count: number, everyMs: number): Promise<void> {
    const names = Array.from({ length: count }, (_, i) => `cold-${i + 1}`);
    // At zero again long before its turn comes again.
    await this.deploy(names, { stableWindowMs: 2_000, scaleToZeroGraceMs: 0 });
    this.trickle = new ColdTrickle(this.cold, names, everyMs);
  }

  /** Functions that answer their own name. The first one is deployed as a user does it, and lends its artifact to the others. */
  async deploy(names: readonly string[], settings: Readonly<Record<string, unknown>>): Promise<void> {
    const { stage } = this;
    this.#artifact ??= await this.#upload();
    for (const name of names)
      await stage.api.putFunction(
        { name, ...this.#artifact, ...settings },
        { ifGeneration: undefined, trial: false },
      );
  }

  async #upload(): Promise<{ readonly artifact: string; readonly entry: string }> {
    const { stage } = this;
    const file = join(stage.directory, 'echo.mjs');
    writeFileSync(file, ECHO);
    await stage.baton('deploy', file, '--name', 'echo', '--no-trial');
    const { spec } = await stage.api.call('getFunction', { name: 'echo' });
    return { artifact: spec?.artifact ?? '', entry: spec?.entry ?? '' };
  }

  /** Told while the run goes on. */
  say(act: string): void {
    this.#act = act;
    this.#tell();
  }

  /** Told when its turn comes: what it says may change many times a second. */
  note(act: string): void {
    this.#act = act;
  }

  #tell(): void {
    const { leader } = this.chronicle;
    const { begun, failed } = this.ledger;
    this.world.progress(
      `${this.#act}  leader ${leader.id} of term ${leader.term}  requests ${begun}, ${failed} failed, ${this.warm.open + this.cold.open} open`,
    );
  }

  /**
   * The faults. What goes wrong ends them and is judged at the end; everything is healed, and what the clients saw counts all
   * the same.
   */
  async act(faults: () => Promise<void>): Promise<void> {
    try {
      await faults();
    } catch (error) {
      await this.#blame(error);
    }
    this.say('healing');
    await this.stage.heal().catch((error: unknown) => this.#blame(error));
  }

  async #blame(error: unknown): Promise<void> {
    if (isBatonError(error, 'canceled')) {
      await this.stop();
      throw error;
    }
    this.misconduct.push(explain(error));
  }

  /** One fault, from the strike to the repair; `strike` returns what shows that it happened. */
  async fault(kind: string, target: string, strike: () => Promise<string>): Promise<void> {
    const over = this.chronicle.fault(kind, target);
    try {
      over(await strike());
    } catch (error) {
      if (isBatonError(error, 'canceled')) throw error;
      throw new Error(`${kind} of ${target}: ${explain(error)}`, { cause: error });
    }
  }

  /** Somebody leads in a higher term than this. @returns who, and since when */
  untilLeaderAfter(term: number, timeoutMs: number): Promise<{ id: string; term: number; fromMs: number }> {
    return until(`a leader after term ${term}`, timeoutMs, this.stage.signal, () => {
      this.observer.read();
      return this.chronicle.leaderAfter(term);
    });
  }

  /**
   * Leader, workers and data planes are of one mind, and every function has the sandboxes that it should.
   * @param among while cold starts go on all the time, those of their functions are never the same in two looks
   */
  async untilSettled(timeoutMs: number, among: (name: string) => boolean = () => true): Promise<void> {
    let last: string | undefined;
    try {
      await until('one view', timeoutMs, this.stage.signal, async () => {
        last = await difference(this.stage, this.observer, among);
        if (last !== undefined) this.note(`waiting for one view: ${last}`);
        return last === undefined;
      });
    } catch (error) {
      if (!isBatonError(error, 'timeout')) throw error;
      throw new BatonError('timeout', `${error.message}: ${last ?? ''}`);
    }
  }

  usage(): Map<string, Usage> {
    const usage = new Map<string, Usage>();
    for (const { id } of this.stage.members) {
      const pid = this.stage.pid(id);
      const used = pid === undefined ? undefined : usageOf(pid);
      if (used !== undefined) usage.set(id, used);
    }
    return usage;
  }

  /** Whatever still runs; what was sent ends by itself or with its connection. */
  async stop(): Promise<void> {
    clearInterval(this.#teller);
    this.warm.stop();
    this.trickle?.stop();
    await this.clients?.stop();
    await this.observer.stop();
    await this.caller.close();
  }
}
