/** Partitions under traffic. Each is one fault of a play: it shows that it held, waits for what must follow, and repairs. */
import type { Prng } from '../../src/lib/prng.ts';
import { isBatonError } from '../../src/lib/errors.ts';
import type { Lane } from '../network/wires.ts';
import type { Play } from '../play.ts';
import type { StageDataPlane } from '../stage.ts';
import { pause, until } from '../until.ts';
import { cut, cutClient, isolate, lanesAround, narrow, slow, under, type Fault, type Way } from './links.ts';
import { untilWithdrawn } from './outages.ts';

/** For what must follow; how fast it is, is measured elsewhere. */
const FOLLOW_TIMEOUT_MS = 30_000;
const STEADY_TIMEOUT_MS = 20_000;
/** Many times what any election takes. */
const STEADY_MS = 2_000;
const LOOK_MS = 100;
const ASK_TIMEOUT_MS = 2_000;
/** With the way back less than a worker may be silent: nobody has a reason to take it for dead. */
const CUT_MS = { least: 200, spread: 800 } as const;
const FLAP_MS = { least: 300, spread: 400 } as const;

const drawn = (random: Prng, { least, spread }: { least: number; spread: number }): number =>
  least + random.below(spread);

const pick = <T>(random: Prng, list: readonly T[]): T => {
  const found = list[random.below(list.length)];
  if (found === undefined) throw new RangeError('nothing to choose from');
  return found;
};

/** A fault of the play that lasts while `happen` does. `happen` returns what followed. */
async function during(play: Play, kind: string, fault: Fault, happen: () => Promise<string>): Promise<void> {
  await play.fault(kind, fault.target, async () => {
    let followed = '';
    const proof = await under(fault, async () => {
      followed = await happen();
    });
    return `${proof}; ${followed}`;
  });
}

/** The leader's host away from all others: they elect another one, and it stops leading. */
export async function partitionLeader(play: Play, random: Prng, way: Way): Promise<void> {
  const { stage, chronicle } = play;
  const { id, term } = chronicle.leader;
  const fault = isolate(stage.network, stage.network.hostOf(id), way, stage.signal);
  const beganMs = chronicle.now();
  await during(play, 'leader-partition', fault, async () => {
    const next = await play.untilLeaderAfter(term, FOLLOW_TIMEOUT_MS);
    await until(`${id} no longer leads`, FOLLOW_TIMEOUT_MS, stage.signal, async () => {
      const status = await stage.status(id);
      return status !== undefined && status.role !== 'leader';
    });
    await pause(drawn(random, CUT_MS), stage.signal);
    return `${next.id} leads term ${next.term} after ${Math.round(next.fromMs - beganMs)} ms`;
  });
  await stage.untilServing();
  await untilHeard(play);
}

/** The leader has heard every worker since now: two short silences would be a long one. */
async function untilHeard({ stage }: Play): Promise<void> {
  const fromMs = performance.now();
  await until('every worker heard again', FOLLOW_TIMEOUT_MS, stage.signal, async () => {
    const led = await stage.leader();
    if (led === undefined) return false;
    const askedMs = performance.now();
    const { client } = stage.replica(led.id);
    const { rows } = await client.call('listWorkers', {}, ASK_TIMEOUT_MS).catch(orNobody);
    const heard = rows.filter(({ heardMsAgo }) => heardMsAgo < askedMs - fromMs);
    return heard.length === stage.ids('worker').length;
  });
}

/** It has just stopped leading, say. */
function orNobody(error: unknown): { readonly rows: readonly { readonly heardMsAgo: number }[] } {
  if (isBatonError(error)) return { rows: [] };
  throw error;
}

/**
 * A follower away from all others, and back. It may ask whether it would be elected; it never stands, and never takes the lead from
 * who has it.
 */
export async function flapFollower(play: Play, random: Prng, way: Way): Promise<void> {
  const { stage, chronicle, observer } = play;
  const { id: leader, term } = chronicle.leader;
  const follower = pick(
    random,
    stage.ids('replica').filter((id) => id !== leader),
  );
  const undisturbed = (): void => {
    observer.read();
    if (observer.candidacies.get(follower) === term + 1)
      throw new Error(`${follower} stood for term ${term + 1} against ${leader}`);
  };
  const fault = isolate(stage.network, stage.network.hostOf(follower), way, stage.signal);
  await during(play, 'follower-flap', fault, async () => {
    const due = way === 'outward' ? 'follower' : 'pre-candidate';
    await until(`${follower}, cut off ${way}, is ${due}`, FOLLOW_TIMEOUT_MS, stage.signal, async () => {
      return (await stage.status(follower))?.role === due;
    });
    await pause(drawn(random, FLAP_MS), stage.signal);
    return `${follower} is ${due}`;
  });
  await until(`${follower} follows`, FOLLOW_TIMEOUT_MS, stage.signal, async () => {
    undisturbed();
    const status = await stage.status(follower);
    const led = await stage.leader();
    return status?.role === 'follower' && status.leader === led?.id && status.term === led.term;
  });
  undisturbed();
  await untilHeard(play);
}

/** Which hosts still reach each other; all other pairs are cut, both ways. */
export interface Connectivity {
  readonly name: string;
  readonly links: readonly (readonly [string, string])[];
  /** Who may lead in the end: who reaches a majority. */
  readonly mayLead: readonly string[];
}

/** Hosts in any order, the leader's first. */
export const connectivities: readonly ((hosts: readonly string[]) => Connectivity)[] = [
  // Two of its followers do not hear the leader, and hear others who do.
  ([leader = '', a = '', b = '', c = '', d = '']) => ({
    name: 'two followers away from the leader',
    links: pairs([leader, a, b, c, d]).filter(([from, to]) => !(from === leader && (to === a || to === b))),
    mayLead: [leader],
  }),
  // The leader has lost its majority, and one follower alone reaches one.
  ([leader = '', hub = '', ...others]) => ({
    name: 'all through one follower',
    links: [leader, ...others].map((other): [string, string] => [hub, other]),
    mayLead: [hub],
  }),
  // Each reaches its neighbours: three of five in the middle.
  ([leader = '', a = '', b = '', c = '', d = '']) => ({
    name: 'in a row',
    links: [
      [a, leader],
      [leader, b],
      [b, c],
      [c, d],
    ],
    mayLead: [leader, b, c],
  }),
];

function pairs(hosts: readonly string[]): [string, string][] {
  return hosts.flatMap((from, i) => hosts.slice(i + 1).map((to): [string, string] => [from, to]));
}

/** Some pairs of hosts are cut, others are not: somebody who reaches a majority leads, and its term stays. */
export async function partitionPartly(
  play: Play,
  connect: (typeof connectivities)[number],
  random: Prng,
): Promise<void> {
  const { stage, chronicle } = play;
  const { network } = stage;
  const { id, term } = chronicle.leader;
  const own = network.hostOf(id);
  const { name, links, mayLead } = connect([
    own,
    ...shuffled(
      random,
      network.hosts.filter((host) => host !== own),
    ),
  ]);
  const isLinked = (from: string, to: string): boolean =>
    links.some(([a, b]) => (a === from && b === to) || (a === to && b === from));
  const lanes: Lane[] = network.hosts.flatMap((from) =>
    network.hosts.filter((to) => to !== from && !isLinked(from, to)).map((to) => network.lane(from, to)),
  );
  const fault = cut(
    network,
    lanes,
    `${name}: ${links.map((link) => link.join('–')).join(' ')}`,
    stage.signal,
  );
  await during(play, 'partial-partition', fault, async () => {
    const steady = await untilSteady(play);
    if (!mayLead.includes(network.hostOf(steady.leader)))
      throw new Error(`${steady.leader} leads, who reaches no majority`);
    return `${steady.leader} leads term ${steady.term} steadily, ${term} before`;
  });
  await stage.untilWhole(FOLLOW_TIMEOUT_MS);
}

function shuffled<T>(random: Prng, list: readonly T[]): T[] {
  const drawnFrom = [...list];
  return list.flatMap(() => drawnFrom.splice(random.below(drawnFrom.length), 1));
}

/** One leader, and no replica in a higher term, for a while on end. */
async function untilSteady({ stage, chronicle }: Play): Promise<{ leader: string; term: number }> {
  let seen = { leader: '', term: 0, sinceMs: 0 };
  return until('a leader whose term stays', STEADY_TIMEOUT_MS, stage.signal, async () => {
    const answered = (await stage.statuses()).filter((status) => status !== undefined);
    const term = Math.max(...answered.map((status) => status.term));
    const leader = answered.find((status) => status.role === 'leader' && status.term === term)?.id ?? '';
    if (leader === '' || leader !== seen.leader || term !== seen.term)
      seen = { leader, term, sinceMs: chronicle.now() };
    await pause(LOOK_MS, stage.signal);
    return leader !== '' && chronicle.now() - seen.sinceMs >= STEADY_MS && { leader, term };
  });
}

/** A worker away from its NATS server: its sandboxes are replaced, serve on meanwhile, and are too many when it is back. */
export async function partitionWorker(play: Play, random: Prng): Promise<void> {
  const { stage } = play;
  const worker = pick(random, busyWorkers(play));
  await cutOffWorker(play, worker, cutClient(stage.network, worker, 'both', stage.signal), stage.dataPlanes);
}

/** The same for everything on a host that has a worker, and not the leader. */
export async function partitionWorkerHost(play: Play, random: Prng): Promise<void> {
  const { stage, chronicle } = play;
  const { network } = stage;
  const away = network.hostOf(chronicle.leader.id);
  const worker = pick(
    random,
    busyWorkers(play).filter((id) => network.hostOf(id) !== away),
  );
  const host = network.hostOf(worker);
  const others = stage.dataPlanes.filter(({ id }) => network.hostOf(id) !== host);
  await cutOffWorker(play, worker, isolate(network, host, 'both', stage.signal), others);
}

function busyWorkers({ observer }: Play): string[] {
  observer.read();
  return [...observer.workers].filter(([, { ready }]) => ready.length > 0).map(([id]) => id);
}

/** @param informed data planes that the leader still reaches */
async function cutOffWorker(
  play: Play,
  worker: string,
  fault: Fault,
  informed: readonly StageDataPlane[],
): Promise<void> {
  const { observer } = play;
  const record = observer.workers.get(worker);
  const lost = new Set(record?.ready.map(({ id }) => id));
  await during(play, 'worker-partition', fault, async () => {
    await untilWithdrawn(play, lost, informed);
    observer.read();
    const kept = record?.ready.filter(({ id }) => lost.has(id)).length ?? 0;
    if (kept < lost.size) throw new Error(`${worker} has ${kept} of its ${lost.size} sandboxes left`);
    return `${lost.size} sandboxes of ${worker} withdrawn, all of them alive`;
  });
  // Others come and go at all times: they are asked about at the end.
  await play.untilSettled(FOLLOW_TIMEOUT_MS, (name) => play.warmFunctions.includes(name));
}

/** Together with the way back less than an election timeout. */
const LATENCY_MS = { least: 20, spread: 60 } as const;
/** KB/s. */
const RATE = { least: 64, spread: 192 } as const;
const SLOW_MS = { least: 2_000, spread: 1_500 } as const;

/** Everything to and from a host, the leader's or another, takes its time (`turn` even), or has little room. */
export async function slowHost(play: Play, random: Prng, turn: number): Promise<void> {
  const { stage, chronicle } = play;
  const { network } = stage;
  const { id: leader, term } = chronicle.leader;
  const followers = stage.ids('replica').filter((id) => id !== leader);
  const replica = turn < 2 ? leader : pick(random, followers);
  const host = network.hostOf(replica);
  const lanes = lanesAround(
    network,
    host,
    network.hosts.filter((other) => other !== host),
    'both',
  );
  const latencyMs = drawn(random, LATENCY_MS);
  const fault =
    turn % 2 === 0
      ? slow(network, lanes, { latencyMs, jitterMs: Math.floor(latencyMs / 4) }, host, stage.signal)
      : narrow(network, lanes, drawn(random, RATE), host, stage.signal);
  await during(play, fault.kind, fault, async () => {
    await pause(drawn(random, SLOW_MS), stage.signal);
    const led = await stage.leader();
    if (led?.id !== leader || led.term !== term)
      throw new Error(`${led?.id ?? 'nobody'} leads, and not ${leader} as before`);
    return `${leader} leads term ${term} as before`;
  });
}
