/**
 * Five hundred cold starts are under way when the leader dies. The creates that it had sent and that nobody has heard of yet are
 * in nobody's evidence: the next leader must serve everybody all the same, and not start a second fleet.
 */
import type { Prng } from '../../src/lib/prng.ts';
import { Extent } from '../extent.ts';
import { judge } from '../judgement.ts';
import { Play } from '../play.ts';
import type { Scenario } from '../scenario.ts';
import { pause, until } from '../until.ts';
import { judgeStarts, total, type Burst } from '../verifiers/starts.ts';

const ROUNDS = 4;
const SHORT_ROUNDS = 1;
const STARTS = 500;
/** Long enough that a kill meets them all at work. */
const START_MS = 1_500;
const SERVED_TIMEOUT_MS = 90_000;
const ZERO_TIMEOUT_MS = 90_000;
const LEADER_TIMEOUT_MS = 10_000;
/** How far the burst has got when the leader dies. */
const KILL_AFTER_MS = { least: 5, spread: 200 } as const;

/** Many functions that need one sandbox each; and few that need many, each of one request and called through its owner alone. */
const SHAPES = [
  { functions: STARTS, each: 1, concurrency: 0 },
  { functions: 10, each: STARTS / 10, concurrency: 1 },
] as const;

interface Round extends Burst {
  /** Leaders that came during the round: one, where nobody but the killed one was deposed. */
  readonly newLeaders: number;
  readonly killAfterMs: number;
  /** Sandboxes that workers had begun to start when the leader was killed. */
  readonly startedAtKill: number;
  readonly servedMs: number;
}

export const inflight: Scenario = {
  name: 'inflight',
  about: '500 cold starts in flight when the leader dies',
  plan: { dataPlanes: 2, workers: 4, runtime: 'simulated', startMs: START_MS },

  async play(world) {
    const random = world.random.fork('kills');
    const play = await Play.open(world, { functions: 0, sandboxes: 0, ratePerSecond: 0 });
    const played: Round[] = [];
    const count = world.options.isShort === true ? SHORT_ROUNDS : ROUNDS;
    const extent = new Extent(world.options, { kind: 'times', count }, 'round', () => play.chronicle.now());
    await play.act(async () => {
      while (extent.goesOn(played.length)) {
        play.say(extent.tell(played.length));
        played.push(await killUnderBurst(play, played.length + 1, random));
      }
    });
    const rounds = extent.due(played.length);
    const steps = played.map(({ starts, ...row }) => ({
      ...row,
      functions: starts.size,
      demand: row.each * starts.size,
      started: total(starts),
    }));
    return judge(play, {
      faults: rounds,
      leaderChanges: rounds,
      steps,
      verdicts: { starts: judgeStarts(played) },
    });
  },
};

async function killUnderBurst(play: Play, round: number, random: Prng): Promise<Round> {
  const { stage, chronicle, cold, ledger } = play;
  const { functions, each, concurrency } =
    SHAPES[(play.world.options.seed + round) % SHAPES.length] ?? SHAPES[0];
  const names = Array.from({ length: functions }, (_, i) => `cold-${round}-${i + 1}`);
  await play.deploy(names, {
    concurrency,
    resources: { cpuMillis: 10, memoryMiB: 1 },
    stableWindowMs: 6_000,
    scaleToZeroGraceMs: 0,
  });
  const killAfterMs = KILL_AFTER_MS.least + random.below(KILL_AFTER_MS.spread);
  const failedBefore = ledger.failed;
  const { id: leader, term } = chronicle.leader;
  const changesBefore = chronicle.leaderChanges;
  const beganMs = chronicle.now();
  let atKill = { startedAtKill: 0, openAtKill: 0 };
  await play.fault('kill', leader, async () => {
    cold.burst(names, each);
    await pause(killAfterMs, stage.signal);
    const gone = stage.kill(leader);
    atKill = { startedAtKill: total(startsOf(play, names)), openAtKill: cold.open };
    const [pid] = await gone;
    await play.untilLeaderAfter(term, LEADER_TIMEOUT_MS);
    await until('every request answered', SERVED_TIMEOUT_MS, stage.signal, () => cold.open === 0);
    return `pid ${pid} gone with ${atKill.openAtKill} requests waiting, ${await stage.start(leader)} in its place`;
  });
  const servedMs = Math.round(chronicle.now() - beganMs);
  await play.untilSettled(ZERO_TIMEOUT_MS);
  return {
    round,
    each,
    killAfterMs,
    ...atKill,
    newLeaders: chronicle.leaderChanges - changesBefore,
    starts: startsOf(play, names),
    served: functions * each - (ledger.failed - failedBefore),
    servedMs,
  };
}

/** By the workers' own record. */
function startsOf({ observer }: Play, names: readonly string[]): Map<string, number> {
  observer.read();
  const records = [...observer.workers.values()];
  const count = (name: string): number =>
    records.reduce((sum, { starts }) => sum + (starts.get(name) ?? 0), 0);
  return new Map(names.map((name) => [name, count(name)]));
}
