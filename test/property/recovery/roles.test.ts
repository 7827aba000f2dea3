/**
 * The histories of recovery.test.ts, played by the production roles in the simulator's world: a few, and what shows that a broken promise
 * would be noticed there.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { TableView } from '../../../src/data-plane/table-view.ts';
import { encodeEndpointBatch } from '../../../src/wire/broadcast-codec.ts';
import { FUNCTIONS } from './functions.ts';
import { controlPlaneHistory, longHistory, ownershipHistory, type History } from './histories.ts';
import { names } from './picture.ts';
import { messageOf, play, rest } from './run.ts';
import { RoleCluster } from './roles/role-cluster.ts';
import { playByRoles, roleCounterexample, type Plant } from './roles/role-run.ts';
import { finishLater, type ClusterSize } from './stage.ts';
import type { Step } from './steps.ts';

const TIMEOUT_MS = 120_000;
const of: ClusterSize = { workers: 2, dataPlanes: 1, servers: 1 };
const register: Step = {
  do: 'register',
  fn: 0,
  min: 2,
  hardLimit: 0,
  trial: false,
  insists: true,
};
const wait = (ms: number): Step => ({ do: 'wait', ms });
const failOver: Step = { do: 'fail over', old: 'dead', leaderlessMs: 0 };
const history = (...steps: Step[]): History => ({ random: 1, of, steps });

async function held(one: History): Promise<number> {
  try {
    return (await playByRoles(one)).failovers;
  } catch (error) {
    throw new Error((await roleCounterexample(one, messageOf(error))).text, { cause: error });
  }
}

describe('the roles', () => {
  test('keep what there is and come to rest, whatever happens', { timeout: TIMEOUT_MS }, async () => {
    let failovers = 0;
    for (const one of fc.sample(longHistory, { seed: 1, numRuns: 8 })) failovers += await held(one);
    for (const one of fc.sample(ownershipHistory, { seed: 3, numRuns: 4 })) failovers += await held(one);
    expect(failovers).toBeGreaterThan(30);
  });

  test(
    'end nothing, fail nothing and start no second fleet while only the control plane suffers',
    { timeout: TIMEOUT_MS },
    async () => {
      for (const one of fc.sample(controlPlaneHistory, { seed: 2, numRuns: 6 })) {
        const cluster = await RoleCluster.start(one.random, one.of);
        for (const name of FUNCTIONS)
          cluster.register(name, { min: 2, hardLimit: 0, target: 100 }, { trial: false, insists: true });
        await cluster.run(5_000);
        const fleet = fleetOf(cluster);
        await finishLater(play(cluster, one));
        await finishLater(rest(cluster));
        expect(fleetOf(cluster)).toBe(fleet);
        expect(cluster.callers.requests.filter(({ outcome }) => outcome !== 'ok')).toEqual([]);
        expect(cluster.startedCount).toBe(2 * FUNCTIONS.length);
      }
    },
  );

  test('are told by a short script where they break a promise', { timeout: TIMEOUT_MS }, async () => {
    const restart: Step = { do: 'restart worker', who: 0 };
    const long = history(register, wait(500), failOver, wait(800), restart, wait(700));
    const why = await brokenBy(long, forgetfulDisks);
    expect(why).toMatch(/^at [\d.]+ s: FENCE: w1 goes from term \d+ back to term \d+$/);
    const { text } = await roleCounterexample(long, why, forgetfulDisks);
    expect(text).toMatch(/\nplayed by the roles, in a cluster of 3 replicas, 2 workers/);
    expect(text).toContain('restart worker w1');
    expect(text).not.toContain('register');
  });

  test(
    'are seen to withdraw what serves, before they know what there is',
    { timeout: TIMEOUT_MS },
    async () => {
      const withdraw: Plant = (cluster) => {
        cluster.world.scheduler.after(5_000, () => withdrawAll(cluster));
      };
      const why = await brokenBy(history(register, wait(4_000), failOver, wait(1_500)), withdraw);
      expect(why).toMatch(/^at 5\.\d+ s: R2: term \d+ withdraws ant-\S+ before it has reconciled$/);
    },
  );

  test('are seen to lose what serves from their tables', { timeout: TIMEOUT_MS }, async () => {
    const why = await brokenBy(history(register, wait(4_000), failOver, wait(1_500)), (cluster) => {
      cluster.world.scheduler.after(5_000, () => emptyTables(cluster));
    });
    expect(why).toMatch(/^at 5\.\d+ s: R2: d1 drops ant-\S+, which term \d+ never withdrew$/);
  });

  test('are seen to answer for one another', { timeout: TIMEOUT_MS }, async () => {
    const twin: Step = { ...register, fn: 1 };
    const call: Step = { do: 'call', fn: 1, through: 0, times: 3 };
    const why = await brokenBy(history(register, twin, wait(4_500), call, wait(500)), (cluster) => {
      cluster.world.scheduler.after(4_000, () => mixUp(cluster));
    });
    expect(why).toMatch(/^at [\d.]+ s: R7: a request for bee reaches ant-\S+ of ant$/);
  });
});

function fleetOf(cluster: RoleCluster): string {
  return names(cluster.picture().truth.map(({ id }) => id));
}

async function brokenBy(one: History, plant: Plant): Promise<string> {
  return playByRoles(one, plant).then(() => 'nothing', messageOf);
}

/** Workers come back with the file that they had at the beginning. */
function forgetfulDisks({ world }: RoleCluster): void {
  for (const worker of world.workers) {
    const first = worker.state;
    Object.defineProperty(worker, 'state', {
      get: () => first,
      set() {
        // The disk forgets.
      },
    });
  }
}

/** In the name of the leader, which knows nothing of it. */
function withdrawAll(cluster: RoleCluster): void {
  const { leader } = cluster;
  const changes = cluster
    .picture()
    .truth.map(({ id, uid }) => ({ kind: 'withdraw', sandbox: id, uid }) as const);
  const batch = { fence: cluster.witness.fence, seq: 1_000, changes };
  leader?.bus?.publish(`baton.sim.endpoints.${leader.id}`, encodeEndpointBatch(batch));
}

/** From now on data planes show none of the endpoints that they had. */
function emptyTables({ world }: RoleCluster): void {
  for (const { peerFront } of world.planes) {
    const send = peerFront.send.bind(peerFront);
    peerFront.send = (target, headers, answer) =>
      send(target, headers, (given) => {
        const view = JSON.parse(given.body) as TableView;
        answer({ ...given, body: JSON.stringify({ ...view, endpoints: [] }) });
      });
  }
}

/** Every sandbox answers as the first one does. */
function mixUp({ world }: RoleCluster): void {
  const { served } = world.sandboxes;
  const [first] = served.values();
  if (first === undefined) return;
  for (const [address, { process }] of served) served.set(address, { ...first, process });
}
