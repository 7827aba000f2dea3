/**
 * Static stability: under warm traffic all replicas are killed and stay down for a while, then the NATS server does, then both.
 * Nobody who calls a warm function may notice, and nobody's endpoint may be taken out, neither meanwhile nor by those who
 * come back without memory.
 */
import { Extent } from '../extent.ts';
import { judge } from '../judgement.ts';
import { Play } from '../play.ts';
import type { Scenario } from '../scenario.ts';
import { pause } from '../until.ts';
import { WithdrawalWatch } from '../withdrawal-watch.ts';

/** Longer than suspicion and leases: what comes back finds everybody overdue. */
const REPLICAS_DOWN_MS = 5_000;
const NATS_DOWN_MS = 30_000;
const BOTH_DOWN_MS = 4_000;
const SHORT_NATS_DOWN_MS = 8_000;
const SETTLED_TIMEOUT_MS = 30_000;

interface Outage {
  readonly what: string;
  readonly downMs: number;
  /** From the first restart until all are of one mind. */
  readonly settledMs: number;
  readonly requests: number;
  readonly failures: number;
}

export const blackout: Scenario = {
  name: 'blackout',
  about: 'all replicas down, NATS down, and both, under warm traffic',
  plan: { dataPlanes: 2, workers: 2 },

  async play(world) {
    const { stage } = world;
    const natsDownMs = world.options.isShort === true ? SHORT_NATS_DOWN_MS : NATS_DOWN_MS;
    const play = await Play.open(world, { functions: 4, sandboxes: 2, ratePerSecond: 200 });
    const watch = new WithdrawalWatch(play);
    const extent = new Extent(world.options, { kind: 'times', count: 1 }, 'round', () =>
      play.chronicle.now(),
    );
    const [replicas, nats] = [stage.ids('replica'), stage.ids('nats')];
    const steps: Outage[] = [];
    let rounds = 0;
    await play.act(async () => {
      for (; extent.goesOn(rounds); rounds++) {
        steps.push(await outage(play, 'all replicas', replicas, REPLICAS_DOWN_MS));
        steps.push(await outage(play, 'NATS', nats, natsDownMs));
        steps.push(await outage(play, 'all replicas and NATS', [...replicas, ...nats], BOTH_DOWN_MS));
      }
    });
    await watch.stop();
    const due = extent.due(rounds);
    return judge(play, {
      faults: 3 * due,
      leaderChanges: 2 * due,
      steps,
      verdicts: { withdrawals: watch.verdict() },
      figures: { wrongWithdrawals: watch.wrong },
    });
  },
};

async function outage(play: Play, what: string, ids: readonly string[], downMs: number): Promise<Outage> {
  const { stage, chronicle, ledger } = play;
  play.say(`${what} down for ${downMs / 1_000} s`);
  const before = { requests: ledger.begun, failures: ledger.failed };
  let settledMs = 0;
  await play.fault('kill', ids.join(', '), async () => {
    const gone = await stage.kill(...ids);
    await pause(downMs, stage.signal);
    const startedMs = chronicle.now();
    await Promise.all(ids.map((id) => stage.start(id)));
    await stage.untilServing();
    await play.untilSettled(SETTLED_TIMEOUT_MS);
    settledMs = Math.round(chronicle.now() - startedMs);
    return `pids ${gone.join(', ')} gone for ${downMs} ms`;
  });
  return {
    what,
    downMs,
    settledMs,
    requests: ledger.begun - before.requests,
    failures: ledger.failed - before.failures,
  };
}
