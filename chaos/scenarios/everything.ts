/**
 * Everything at once: every fault of every siege, and disks, clocks and descriptors, one after the other and two in the same instant, as
 * the seed draws them. Nobody's request fails but those that a fault held in its hands; and in the end memory, descriptors and
 * processes are what they were before. Only the ailing ways to sandboxes have a siege of their own alone: a proxy takes connections that
 * a dead sandbox would refuse, so that requests are lost there which nothing else could lose.
 */
import { skewClock } from '../faults/clocks.ts';
import { flipByte, wipeDisk } from '../faults/disk.ts';
import { faketime } from '../faults/faketime.ts';
import { fillDisk } from '../faults/full-disk.ts';
import { ways } from '../faults/links.ts';
import {
  crashSandbox,
  killDataPlane,
  killLeader,
  killNats,
  killWorker,
  restart,
  suspendLeader,
  suspendNats,
} from '../faults/outages.ts';
import {
  flapFollower,
  partitionLeader,
  partitionWorker,
  partitionWorkerHost,
  slowHost,
} from '../faults/partitions.ts';
import { exhaustDescriptors } from '../faults/scarcity.ts';
import { suspendMember } from '../faults/stalls.ts';
import type { Play } from '../play.ts';
import type { Scenario } from '../scenario.ts';
import { siege } from '../siege.ts';
import type { Stage } from '../stage.ts';
import { drawStrike, type SwarmFault } from '../swarm.ts';
import type { Prng } from '../../src/lib/prng.ts';
import { diedInHand, diedWithSandbox, hadNoDescriptor } from '../verifiers/excuses.ts';

const WHOLE_TIMEOUT_MS = 30_000;

type Strike = SwarmFault['strike'];

const replicas = (stage: Stage): string[] => stage.ids('replica');
const edge = (stage: Stage): string[] => [...stage.ids('data-plane'), ...stage.ids('worker')];

const draw = <T>(random: Prng, list: readonly T[]): T => {
  const drawn = list[random.below(list.length)];
  if (drawn === undefined) throw new RangeError('nothing to draw from');
  return drawn;
};

/** To somebody that the seed draws. */
const to =
  (
    among: (stage: Stage) => string[],
    strike: (play: Play, id: string, random: Prng) => Promise<void>,
  ): Strike =>
  (play, random) =>
    strike(play, draw(random, among(play.stage)), random);

/** A disk is struck while all replicas have a vote: a majority remains. */
const disk = (
  kind: string,
  strike: (stage: Stage, id: string, random: Prng) => Promise<string>,
): SwarmFault => ({
  kind,
  groups: ['control'],
  strike: to(replicas, (play, id, random) => play.fault(kind, id, () => strike(play.stage, id, random))),
});

const skew = (preload: string, among: (stage: Stage) => string[]): Strike =>
  to(among, (play, id, random) => skewClock(play, id, preload, random));

const clocks = (preload: string): readonly SwarmFault[] => [
  { kind: 'replica-clock', groups: ['control'], strike: skew(preload, replicas) },
  { kind: 'edge-clock', groups: ['edge'], strike: skew(preload, edge) },
];

/** All servers, or one of them. */
const bus =
  (strike: (play: Play, ids: readonly string[], random: Prng) => Promise<void>): Strike =>
  (play, random) => {
    const all = play.stage.ids('nats');
    return strike(play, random.below(2) === 0 ? all : [draw(random, all)], random);
  };

/** Each brings another leader. */
const depositions: readonly SwarmFault[] = [
  { kind: 'leader-kill', groups: ['control'], strike: killLeader },
  { kind: 'leader-pause', groups: ['control'], strike: suspendLeader },
];

/** One way or both, as the seed draws it; every wire is whole before. */
const links = (
  kind: string,
  groups: SwarmFault['groups'],
  strike: (play: Play, random: Prng) => Promise<void>,
): SwarmFault => ({
  kind,
  groups,
  async strike(play, random) {
    const { network, signal } = play.stage;
    await network.probes.untilCarried(network.lanes, signal);
    await strike(play, random);
  },
});

const SLOW_TURNS = 4;

/** Who is cut off must not be what another fault takes away: nothing else touches replicas or the bus meanwhile. */
const partitions: readonly SwarmFault[] = [
  links('leader-partition', ['control', 'bus'], (play, random) =>
    partitionLeader(play, random, draw(random, ways)),
  ),
  links('follower-flap', ['control', 'bus'], (play, random) =>
    flapFollower(play, random, draw(random, ways)),
  ),
  links('slow-link', ['control', 'bus'], (play, random) => slowHost(play, random, random.below(SLOW_TURNS))),
  links('worker-partition', ['control', 'bus', 'edge'], partitionWorker),
  links('worker-host-partition', ['control', 'bus', 'edge'], partitionWorkerHost),
];

const faults: readonly SwarmFault[] = [
  ...depositions,
  ...partitions,
  { kind: 'replica-restart', groups: ['control'], strike: to(replicas, restart) },
  disk('wipe', wipeDisk),
  disk('flip', flipByte),
  disk('full-disk', fillDisk),
  { kind: 'nats-kill', groups: ['bus'], strike: bus(killNats) },
  { kind: 'nats-pause', groups: ['bus'], strike: bus(suspendNats) },
  { kind: 'data-plane-kill', groups: ['edge'], strike: killDataPlane },
  { kind: 'worker-kill', groups: ['edge'], strike: killWorker },
  { kind: 'sandbox-crash', groups: ['edge'], strike: crashSandbox },
  { kind: 'edge-pause', groups: ['edge'], strike: to(edge, suspendMember) },
  { kind: 'edge-restart', groups: ['edge'], strike: to(edge, restart) },
  { kind: 'fd-exhaustion', groups: ['edge'], strike: exhaustDescriptors },
];

export const everything: Scenario = siege({
  name: 'everything',
  about: 'all kinds of faults, alone and in pairs, as the seed draws them',
  plan: { nats: 3, workers: 3, runtime: 'process', proxied: ['bus'] },
  async prepare(progress) {
    const tool = await faketime(progress);
    if (tool.kind === 'missing') progress(`everything: no clock is set wrong, ${tool.why}`);
  },
  async figures() {
    const tool = await faketime(() => undefined);
    return { leftOut: tool.kind === 'missing' ? [`clock-skew: ${tool.why}`] : [] };
  },
  traffic: { cold: { functions: 8, everyMs: 2_500 } },
  async strike(play, random, n) {
    await play.stage.untilWhole(WHOLE_TIMEOUT_MS);
    const tool = await faketime((line) => play.say(line));
    const all = tool.kind === 'found' ? [...faults, ...clocks(tool.preload)] : faults;
    // However short the run is, another one leads in the end.
    const drawn = drawStrike(n === 0 ? depositions : all, play.world.random, n);
    // What goes wrong in one of them ends both, but not before the other one is over.
    const ended = await Promise.allSettled(
      drawn.map(({ kind, strike }) => strike(play, random.fork(`${n} ${kind}`))),
    );
    for (const one of ended) if (one.status === 'rejected') throw one.reason;
  },
  leaderChanges: () => 1,
  isStable: false,
  isExcused: ({ chronicle }, failure) =>
    diedInHand(chronicle.faults, failure) ||
    diedWithSandbox(chronicle.faults, failure) ||
    hadNoDescriptor(chronicle.faults, failure),
});
