/**
 * The leader and a worker are killed in the same instant, under warm traffic, again and again. The next leader knows the dead
 * worker from data planes alone; its endpoints must be gone from all of them within a second, nobody may notice who called a
 * sandbox that lives, and everything must be as it was before the killed processes come back.
 */
import { untilWithdrawn } from '../faults/outages.ts';
import { Extent } from '../extent.ts';
import { judge } from '../judgement.ts';
import { Play } from '../play.ts';
import type { Scenario } from '../scenario.ts';
import { pause } from '../until.ts';
import { verdict, type Verdict } from '../verifiers/verdict.ts';

const ROUNDS = 20;
const SHORT_ROUNDS = 2;
const LEADER_TIMEOUT_MS = 10_000;
const GONE_MS = 1_000;
const RESTORED_TIMEOUT_MS = 30_000;
/** A leader takes "no responders" for a death only when its bus has been up for three seconds, and any replica may be next. */
const CALM_MS = 3_200;

interface Round {
  readonly round: number;
  readonly leader: string;
  readonly worker: string;
  /** Sandboxes that died with their worker. */
  readonly lost: number;
  /** From the kill to the new leader's own no-op applied. */
  readonly newLeaderMs: number;
  /** From then until no data plane has an endpoint of the dead worker. */
  readonly goneMs: number;
  /** From the kill until desired = placed = every view again. */
  readonly restoredMs: number;
  readonly failures: number;
}

export const recovery: Scenario = {
  name: 'recovery',
  about: 'the leader and a worker killed in the same instant under warm traffic',
  plan: { dataPlanes: 2, workers: 3 },

  async play(world) {
    const random = world.random.fork('victims');
    const play = await Play.open(world, { functions: 4, sandboxes: 2, ratePerSecond: 200 });
    const count = world.options.isShort === true ? SHORT_ROUNDS : ROUNDS;
    const extent = new Extent(world.options, { kind: 'times', count }, 'round', () => play.chronicle.now());
    const steps: Round[] = [];
    await play.act(async () => {
      while (extent.goesOn(steps.length)) {
        if (steps.length > 0) await pause(CALM_MS, play.stage.signal);
        play.say(extent.tell(steps.length));
        const workers = [...play.observer.workers].filter(([, { ready }]) => ready.length > 0);
        const [worker = ''] = workers[random.below(workers.length)] ?? [];
        steps.push(await killBoth(play, steps.length + 1, worker));
      }
    });
    const rounds = extent.due(steps.length);
    return judge(play, {
      faults: rounds,
      leaderChanges: rounds,
      steps,
      verdicts: { gone: goneInTime(steps) },
    });
  },
};

async function killBoth(play: Play, round: number, worker: string): Promise<Round> {
  const { stage, chronicle, observer, ledger } = play;
  const { id: leader, term } = chronicle.leader;
  const lost = new Set(observer.workers.get(worker)?.ready.map(({ id }) => id));
  const failedBefore = ledger.failed;
  let times = { newLeaderMs: 0, goneMs: 0, restoredMs: 0 };
  await play.fault('kill', `${leader} and ${worker}`, async () => {
    const killedMs = chronicle.now();
    const gone = await stage.kill(leader, worker);
    const next = await play.untilLeaderAfter(term, LEADER_TIMEOUT_MS);
    const goneAtMs = await untilWithdrawn(play, lost);
    await play.untilSettled(RESTORED_TIMEOUT_MS);
    times = {
      newLeaderMs: Math.round(next.fromMs - killedMs),
      goneMs: Math.round(goneAtMs - next.fromMs),
      restoredMs: Math.round(chronicle.now() - killedMs),
    };
    const pids = [await stage.start(leader), await stage.start(worker)];
    return `pids ${gone.join(' and ')} gone, ${pids.join(' and ')} in their place`;
  });
  await stage.untilServing();
  await play.untilSettled(RESTORED_TIMEOUT_MS);
  return { round, leader, worker, lost: lost.size, ...times, failures: ledger.failed - failedBefore };
}

function goneInTime(rounds: readonly Round[]): Verdict {
  const late = rounds.filter(({ goneMs }) => goneMs > GONE_MS);
  const worst = Math.max(0, ...rounds.map(({ goneMs }) => goneMs));
  const wrong = late.map(
    ({ round, goneMs }) => `round ${round}: endpoints of the dead worker for ${goneMs} ms`,
  );
  if (rounds.every(({ lost }) => lost === 0)) wrong.push('no worker had anything to lose');
  return verdict(wrong, `at most ${worst} ms after a leader was there`);
}
