/**
 * What scenarios under traffic have in common: functions that serve, clients that call them, somebody who watches, faults one
 * after the other, and at the end the same questions for all.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BatonError, explain, isBatonError } from '../src/lib/errors.ts';
import { Chronicle } from './histories/chronicle.ts';
import { Observer } from './observer.ts';
import { usageOf } from './proc.ts';
import type { ScenarioResult, ScenarioWorld } from './scenario.ts';
import type { Stage } from './stage.ts';
import { until } from './until.ts';
import { judgeFences } from './verifiers/fence.ts';
import { judgeLedger, Ledger, type Failure } from './verifiers/ledger.ts';
import { excess, type Usage } from './verifiers/resources.ts';
import { verdict, type Verdict } from './verifiers/verdict.ts';
import { difference, equalHashes } from './views.ts';
import { Caller } from './workloads/caller.ts';
import { ColdBursts } from './workloads/cold.ts';
import { WarmTraffic } from './workloads/warm.ts';

const SETTLE_TIMEOUT_MS = 60_000;
const ENDED_TIMEOUT_MS = 60_000;
const RESOURCES_TIMEOUT_MS = 60_000;
const COLD_TIMEOUT_MS = 60_000;
const PROGRESS_MS = 1_000;

/** Answers with its own name, as simulated sandboxes do. */
const ECHO = `export default (_request, env) => ({ function: env.BATON_FUNCTION, sandbox: env.BATON_SANDBOX });\n`;

export interface PlayOptions {
  /** Functions that are kept warm, and how many sandboxes each has. */
  readonly functions: number;
  readonly sandboxes: number;
  readonly ratePerSecond: number;
}

export interface PlayEnd {
  /** As many faults as were planned, and leader changes as they must bring: less is vacuous. */
  readonly faults: number;
  readonly leaderChanges: number;
  readonly rows: readonly object[];
  readonly verdicts?: Readonly<Record<string, Verdict>>;
  readonly figures?: Readonly<Record<string, unknown>>;
  readonly isExcused?: (failure: Failure) => boolean;
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
  readonly #caller: Caller;
  readonly #teller: NodeJS.Timeout;
  #baseline: ReadonlyMap<string, Usage> = new Map();
  #act = 'preparing';
  /** What went wrong under a fault, and in healing it. */
  readonly #misconduct: string[] = [];
  #artifact: { readonly artifact: string; readonly entry: string } | undefined;

  private constructor(world: ScenarioWorld, options: PlayOptions) {
    const { stage } = world;
    const { chronicle, ledger } = this;
    this.world = world;
    this.stage = stage;
    this.observer = new Observer(stage, chronicle);
    this.#caller = new Caller({ targets: stage.dataPlanes, ledger, chronicle });
    this.warmFunctions = Array.from({ length: options.functions }, (_, i) => `warm-${i + 1}`);
    const caller = this.#caller;
    const { ratePerSecond } = options;
    this.warm = new WarmTraffic({ caller, chronicle, functions: this.warmFunctions, ratePerSecond });
    this.cold = new ColdBursts({ caller, chronicle, timeoutMs: COLD_TIMEOUT_MS });
    this.#teller = setInterval(() => this.#tell(), PROGRESS_MS);
  }

  /** Resolves under steady traffic, when all are of one mind. */
  static async open(world: ScenarioWorld, options: PlayOptions): Promise<Play> {
    const play = new Play(world, options);
    try {
      play.observer.start();
      await play.deploy(play.warmFunctions, { min: options.sandboxes });
      await play.untilSettled(SETTLE_TIMEOUT_MS);
      play.#baseline = play.#usage();
      if (options.functions > 0) play.warm.start();
      await until('the first requests', ENDED_TIMEOUT_MS, world.stage.signal, () => {
        return options.functions === 0 || play.warm.sent - play.warm.open >= options.ratePerSecond;
      });
      return play;
    } catch (error) {
      await play.#stop();
      throw error;
    }
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
      await this.#stop();
      throw error;
    }
    this.#misconduct.push(explain(error));
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

  /** Leader, workers and data planes are of one mind, and every function has the sandboxes that it should. */
  async untilSettled(timeoutMs: number): Promise<void> {
    let last: string | undefined;
    try {
      await until('one view', timeoutMs, this.stage.signal, async () => {
        last = await difference(this.stage, this.observer);
        return last === undefined;
      });
    } catch (error) {
      if (!isBatonError(error, 'timeout')) throw error;
      throw new BatonError('timeout', `${error.message}: ${last ?? ''}`);
    }
  }

  // ---- the end ------------------------------------------------------------------------------------------------------

  async end(end: PlayEnd): Promise<ScenarioResult> {
    const { stage, chronicle, ledger, observer } = this;
    try {
      this.say('are all of one mind?');
      const conv = await this.#verdictOf(
        () => this.untilSettled(SETTLE_TIMEOUT_MS),
        'desired = placed = every view',
      );
      this.warm.stop();
      this.say('waiting for the last requests');
      await this.#verdictOf(() => this.#untilEnded(), '');
      await this.#caller.close();
      this.say('is everything given back?');
      const res = await this.#resources();
      const hash = await equalHashes(stage);
      await this.#stop();
      const { faults } = chronicle;
      const changes = chronicle.leaderChanges;
      const vacuous = faults.length < end.faults || changes < end.leaderChanges;
      const verdicts: Record<string, Verdict> = {
        ledger: judgeLedger(ledger, end.isExcused),
        ...end.verdicts,
        conv,
        res,
        hash,
        fence: judgeFences(observer.fences),
        observed: verdict(observer.agreement.violations, 'one leader per term, one state per index'),
        conduct: verdict(this.#misconduct, 'as it must under every fault'),
        faults: {
          ok: !vacuous,
          what: `${faults.length} of ${end.faults} faults, ${changes} leader changes${vacuous ? `, ${end.leaderChanges} are due: shows nothing` : ''}`,
        },
      };
      return this.#result(verdicts, end);
    } catch (error) {
      await this.#stop();
      throw error;
    }
  }

  #result(verdicts: Record<string, Verdict>, { rows, figures = {} }: PlayEnd): ScenarioResult {
    const { chronicle, ledger } = this;
    const counts: Record<string, number> = {};
    for (const { kind } of chronicle.faults) counts[kind] = (counts[kind] ?? 0) + 1;
    const [warm, cold] = [this.warm.latencies.distribution(), this.cold.latencies.distribution()];
    const told = Object.entries({ warm, cold }).filter(([, { n }]) => n > 0);
    return {
      verdicts,
      faults: counts,
      leaderChanges: chronicle.leaderChanges,
      rows,
      figures: {
        ...figures,
        requests: ledger.begun,
        failures: ledger.failed,
        causes: ledger.causes(),
        rerouted: this.#caller.rerouted,
        latencyMs: Object.fromEntries(told),
      },
      summary: [
        `${ledger.begun} requests, ${ledger.failed} failed: ${JSON.stringify(ledger.causes())}`,
        ...told.map(
          ([name, { n, p50, p99, max }]) =>
            `${name}: ${n} in p50 ${p50}, p99 ${p99}, max ${max} ms from when they were due`,
        ),
      ],
      timeline: chronicle.timeline(),
      pictures: new Map(),
    };
  }

  /** What never ends is the ledger's to tell. */
  async #untilEnded(): Promise<void> {
    await until('the last request', ENDED_TIMEOUT_MS, this.stage.signal, () => this.ledger.open === 0);
  }

  async #verdictOf(check: () => Promise<void>, right: string): Promise<Verdict> {
    try {
      await check();
      return { ok: true, what: right };
    } catch (error) {
      if (isBatonError(error, 'canceled')) throw error;
      return { ok: false, what: explain(error) };
    }
  }

  /** RES: as idle as before the traffic. */
  async #resources(): Promise<Verdict> {
    let wrong: string[] = [];
    const right = `${this.#baseline.size} processes hold what they held`;
    const check = (): boolean => {
      wrong = excess(this.#baseline, this.#usage());
      return wrong.length === 0;
    };
    try {
      await until('everything given back', RESOURCES_TIMEOUT_MS, this.stage.signal, check);
    } catch (error) {
      if (isBatonError(error, 'canceled')) throw error;
    }
    return verdict(wrong, right);
  }

  #usage(): Map<string, Usage> {
    const usage = new Map<string, Usage>();
    for (const { id } of this.stage.members) {
      const pid = this.stage.pid(id);
      const used = pid === undefined ? undefined : usageOf(pid);
      if (used !== undefined) usage.set(id, used);
    }
    return usage;
  }

  async #stop(): Promise<void> {
    clearInterval(this.#teller);
    this.warm.stop();
    await this.observer.stop();
    await this.#caller.close();
  }
}
