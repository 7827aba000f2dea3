/** One history, played by the roles; and a counterexample among such. */
import type { History } from '../histories.ts';
import { demandFailover, messageOf, play, rest, script, type Counterexample } from '../run.ts';
import { shortenLater } from '../shorten.ts';
import { finishLater } from '../stage.ts';
import { RoleCluster } from './role-cluster.ts';

/** A history takes a second. */
const SHORTENING_BUDGET = 150;

export interface Played {
  /** Without those at rest. */
  readonly failovers: number;
  readonly requests: number;
  readonly sandboxesStarted: number;
}

/** Breaks something in a cluster that has just begun, to see whether that is noticed. */
export type Plant = (cluster: RoleCluster) => void;

const NOTHING: Plant = () => undefined;

/** To its rest. @throws Error with the promise that is broken */
export async function playByRoles(history: History, plant: Plant = NOTHING): Promise<Played> {
  const cluster = await RoleCluster.start(history.random, history.of);
  plant(cluster);
  await finishLater(play(cluster, history));
  await finishLater(demandFailover(cluster));
  const { failovers } = cluster;
  await finishLater(rest(cluster));
  return { failovers, requests: cluster.callers.count, sandboxesStarted: cluster.startedCount };
}

/** @param why what the roles broke in it */
export async function roleCounterexample(
  history: History,
  why: string,
  plant: Plant = NOTHING,
): Promise<Counterexample> {
  let last = why;
  const small = await shortenLater(history, SHORTENING_BUDGET, async (candidate) => {
    try {
      await playByRoles(candidate, plant);
      return false;
    } catch (error) {
      last = messageOf(error);
      return true;
    }
  });
  return { text: `${last}\nplayed by the roles, in ${script(small)}`, history: small };
}
