/** One leader lost: the fault, who took over, the first cold start, and the lost one brought back. */
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../src/adapters/system/clock.ts';
import { BatonError, explain } from '../../src/lib/errors.ts';
import type { Prng } from '../../src/lib/prng.ts';
import { round } from '../lib/figures.ts';
import { until, type FailoverCluster } from './cluster.ts';
import type { ColdCall, Load } from './load.ts';
import type { Records, Story } from './records.ts';
import { stagesOf, type Stages } from './stages.ts';

export type FaultKind = 'kill' | 'pause';

export interface FaultRow {
  readonly fault: number;
  /** Since the run began. */
  readonly atMs: number;
  readonly leader: string;
  readonly successor: string;
  readonly term: number;
  /** Who said that the leader is gone; `timeout`: nobody did. */
  readonly cause: string;
  /** PreVotes that the winner asked. */
  readonly campaigns: number;
  /** Terms that nobody led, between the old leader's and the new one's. */
  readonly termsWithoutLeader: number;
  readonly newLeaderMs: number;
  readonly firstColdStartMs: number;
  /** Until the lost replica has a vote and the leader's state again. */
  readonly backMs: number;
  readonly stages: Stages;
}

export interface FaultWorld {
  readonly cluster: FailoverCluster;
  readonly records: Records;
  readonly load: Load;
  readonly random: Prng;
  readonly kind: FaultKind;
  readonly beganMs: number;
}

/** A killed replica stays down this long after the first cold start, as under a supervisor that waits a little. */
const DOWN_MS = 250;
/** A stopped one sleeps through several more elections' worth of time. */
const ASLEEP_MS = 1_500;
/** Its connections must have carried the leader's word for a second before a hint may be believed. */
const TRUSTED_MS = 1_500;
const SPREAD_MS = 1_000;
const LIMIT_MS = 30_000;

export async function loseLeader(world: FaultWorld, fault: number): Promise<FaultRow> {
  const { cluster, records, load, kind } = world;
  const before = await untilCalm(world);
  const pid = cluster.pidOf(before.replica);
  load.take();
  const faultMs = systemClock.now();
  process.kill(pid, kind === 'kill' ? 'SIGKILL' : 'SIGSTOP');
  const cold = await inTime('a cold start', load.firstColdAfter(faultMs));
  const after = await until('a new leader on the record', LIMIT_MS, () => {
    records.read();
    return Promise.resolve(storyAbove(records, before.term));
  });
  await bringBack(world, before.replica, pid, after);
  const backMs = systemClock.now() - faultMs;
  records.read();
  const ownStart = load.take().find(({ sandbox }) => sandbox !== '' && sandbox === after.sandbox);
  return {
    fault,
    atMs: round(faultMs - world.beganMs),
    leader: before.replica,
    successor: after.replica,
    term: after.term,
    cause: after.cause,
    campaigns: after.campaigns,
    termsWithoutLeader: after.term - before.term - 1,
    newLeaderMs: round((after.atMs['no-op'] ?? Number.NaN) - faultMs),
    firstColdStartMs: round(cold.firstByteMs - faultMs),
    backMs: round(backMs),
    stages: stagesOf(faultMs, after, ownStart && hearingOf(world, ownStart, after)),
  };
}

function storyAbove(records: Records, term: number): Story | undefined {
  const leading = records.leadingAbove(term);
  return leading === undefined ? undefined : records.story(leading.term);
}

function hearingOf(
  { cluster, records }: FaultWorld,
  call: ColdCall,
  { term, sandbox }: Story,
): { heardMs: number; sandboxMs: number | undefined; firstByteMs: number; sentMs: number } {
  const heard = records.heard(cluster.dataPlanes[call.dataPlane]?.id ?? '', term);
  return {
    heardMs: heard?.heardMs ?? Number.NaN,
    sandboxMs: heard?.sandbox === sandbox ? heard.sandboxMs : undefined,
    firstByteMs: call.firstByteMs,
    sentMs: call.sentMs,
  };
}

/** All replicas follow one leader with a vote and its state, reconciliation has closed, and some time has passed. */
async function untilCalm({ cluster, records, random }: FaultWorld): Promise<Story> {
  const leader = await until('all replicas follow one leader', LIMIT_MS, async () => {
    records.read();
    const leading = records.leadingAbove(0);
    const views = await cluster.views();
    const isCalm = views.every((view) => view?.voter === true && view.leader === leading?.replica);
    return isCalm && leading !== undefined && (await cluster.isReconciled(leading.replica))
      ? leading
      : undefined;
  });
  await delay(TRUSTED_MS + random.float() * SPREAD_MS);
  return leader;
}

async function bringBack(
  { cluster, records, kind }: FaultWorld,
  id: string,
  pid: number,
  after: Story,
): Promise<void> {
  if (kind === 'kill') {
    await delay(DOWN_MS);
    if (cluster.isRunning(id)) throw new BatonError('internal', `${id} (pid ${pid}) survived its kill`);
    cluster.launch(id);
  } else {
    await delay(ASLEEP_MS);
    process.kill(pid, 'SIGCONT');
  }
  let seen = '';
  const isBack = async (): Promise<true | undefined> => {
    const [view, leader] = [await cluster.view(id), await cluster.view(after.replica)];
    seen = `it says ${JSON.stringify(view)}, ${after.replica} says ${JSON.stringify(leader)}`;
    const hasVote = view?.voter === true && view.leader === after.replica;
    return (hasVote && view.appliedIndex >= (leader?.appliedIndex ?? Infinity)) || undefined;
  };
  await until(`${id} is back`, LIMIT_MS, isBack).catch((error: unknown) => {
    throw new BatonError('timeout', `${explain(error)}; ${seen}`);
  });
  records.read();
}

async function inTime<T>(what: string, promise: Promise<T>): Promise<T> {
  const stop = new AbortController();
  const late = delay(LIMIT_MS, undefined, { signal: stop.signal }).then(() => {
    throw new BatonError('timeout', `${what}: not within ${LIMIT_MS} ms`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    stop.abort();
  }
}
