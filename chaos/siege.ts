/** A scenario of one idea: the same kind of fault again and again, under all kinds of traffic, for as long as a run is meant to last. */
import type { Prng } from '../src/lib/prng.ts';
import { provision } from '../cluster/provision/provision.ts';
import { Extent, type Usual } from './extent.ts';
import { judge } from './judgement.ts';
import { Play, type PlayOptions } from './play.ts';
import type { Scenario, ScenarioWorld } from './scenario.ts';
import type { StagePlan } from './stage.ts';
import { pause } from './until.ts';
import type { Failure } from './verifiers/ledger.ts';
import type { Verdict } from './verifiers/verdict.ts';
import { WithdrawalWatch } from './withdrawal-watch.ts';

/** The last strike begins before the time is over. A run that has time for one alone has got stuck in it. */
const USUAL: Usual = { kind: 'time', faultsMs: 12_000, least: 2 };
const CALM_MS = { least: 300, spread: 900 } as const;

export interface Siege {
  readonly name: string;
  readonly about: string;
  readonly plan?: Partial<StagePlan>;
  /** Where it is not the default: warm functions, cold starts all the time, clients of the registry. */
  readonly traffic?: Partial<PlayOptions>;
  /** Carries out one fault or more; `n` counts from 0. */
  readonly strike: (play: Play, random: Prng, n: number) => Promise<void>;
  /** How many must have come after so many strikes. */
  readonly leaderChanges: (strikes: number) => number;
  /** No endpoint of a warm function may leave any table. */
  readonly isStable: boolean;
  /** A cut that lasts so long is a reason to take a worker for dead: on a busy machine they last longer than they should. */
  readonly silenceMs?: number;
  readonly isExcused?: (play: Play, failure: Failure) => boolean;
  /** @see Scenario */
  readonly prepare?: Scenario['prepare'];
  /** Of its own, beside those of all sieges. */
  readonly figures?: () => Promise<Readonly<Record<string, unknown>>>;
  /** Further questions at the end. */
  readonly verdicts?: (play: Play) => Readonly<Record<string, Verdict>>;
}

const usualPlan: Partial<StagePlan> = { dataPlanes: 2, workers: 2, runtime: 'simulated', startMs: 30 };

const usualTraffic: PlayOptions = {
  functions: 4,
  sandboxes: 2,
  ratePerSecond: 100,
  cold: { functions: 24, everyMs: 500 },
  clients: 4,
};

export function siege(options: Siege): Scenario {
  const { name, about, plan } = options;
  return {
    name,
    about,
    plan: { ...usualPlan, ...plan },
    async prepare(progress) {
      if (plan?.proxied !== undefined) await provision('toxiproxy-server', progress);
      await options.prepare?.(progress);
    },
    play: (world) => besiege(world, options),
  };
}

async function besiege(world: ScenarioWorld, options: Siege): ReturnType<Scenario['play']> {
  const random = world.random.fork('strikes');
  const play = await Play.open(world, { ...usualTraffic, ...options.traffic });
  const watch = options.isStable ? new WithdrawalWatch(play) : undefined;
  const extent = new Extent(world.options, USUAL, 'strike', () => play.chronicle.now());
  let strikes = 0;
  await play.act(async () => {
    for (; extent.goesOn(strikes); strikes++) {
      if (strikes > 0) await pause(CALM_MS.least + random.below(CALM_MS.spread), world.stage.signal);
      play.say(extent.tell(strikes));
      await options.strike(play, random, strikes);
    }
  });
  await watch?.stop();
  const { isExcused } = options;
  return judge(play, {
    faults: extent.due(strikes),
    leaderChanges: options.leaderChanges(strikes),
    figures: await options.figures?.(),
    verdicts: {
      ...options.verdicts?.(play),
      ...(watch === undefined ? {} : { withdrawals: watch.verdict(options.silenceMs) }),
    },
    ...(isExcused === undefined ? {} : { isExcused: (failure) => isExcused(play, failure) }),
  });
}
