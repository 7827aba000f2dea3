/**
 * Everything at once: every fault of every siege, and disks, clocks and descriptors, one after the other and two in the same instant, as
 * the seed draws them. Nobody's request fails but those that a fault held in its hands; and in the end memory, descriptors and
 * processes are what they were before.
 */
import { skewClock } from '../faults/clocks.ts';
import { flipByte, wipeDisk } from '../faults/disk.ts';
import { faketime } from '../faults/faketime.ts';
import { fillDisk } from '../faults/full-disk.ts';
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
import { exhaustDescriptors } from '../faults/scarcity.ts';
import { suspendMember } from '../faults/stalls.ts';
import type { Play } from '../play.ts';
import type { Scenario } from '../scenario.ts';
import { siege } from '../siege.ts';
import type { Stage } from '../stage.ts';
import { drawStrike, type SwarmFault } from '../swarm.ts';
import type { Prng } from '../../src/lib/prng.ts';
import { diedInHand, hadNoDescriptor } from '../verifiers/excuses.ts';

const WHOLE_TIMEOUT_MS = 30_000;

type Strike = SwarmFault['strike'];

const replicas = (stage: Stage): string[] => stage.ids('replica');
const edge = (stage: Stage): string[] => [...stage.ids('data-plane'), ...stage.ids('worker')];

function pick(random: Prng, ids: readonly string[]): string {
  return ids[random.below(ids.length)] ?? '';
}

/** To somebody that the seed draws. */
const to =
  (
    among: (stage: Stage) => string[],
    strike: (play: Play, id: string, random: Prng) => Promise<void>,
  ): Strike =>
  (play, random) =>
    strike(play, pick(random, among(play.stage)), random);

/** A disk is struck while all replicas have a vote: a majority remains. */
const disk = (
  kind: string,
  strike: (stage: Stage, id: string, random: Prng) => Promise<string>,
): SwarmFault => ({
  kind,
  group: 'control',
  strike: to(replicas, (play, id, random) => play.fault(kind, id, () => strike(play.stage, id, random))),
});

const skew = (preload: string, among: (stage: Stage) => string[]): Strike =>
  to(among, (play, id, random) => skewClock(play, id, preload, random));

const clocks = (preload: string): readonly SwarmFault[] => [
  { kind: 'replica-clock', group: 'control', strike: skew(preload, replicas) },
  { kind: 'edge-clock', group: 'edge', strike: skew(preload, edge) },
];

/** All servers, or one of them. */
const bus =
  (strike: (play: Play, ids: readonly string[], random: Prng) => Promise<void>): Strike =>
  (play, random) => {
    const all = play.stage.ids('nats');
    return strike(play, random.below(2) === 0 ? all : [pick(random, all)], random);
  };

/** Each brings another leader. */
const depositions: readonly SwarmFault[] = [
  { kind: 'leader-kill', group: 'control', strike: killLeader },
  { kind: 'leader-pause', group: 'control', strike: suspendLeader },
];

const faults: readonly SwarmFault[] = [
  ...depositions,
  { kind: 'replica-restart', group: 'control', strike: to(replicas, restart) },
  disk('wipe', wipeDisk),
  disk('flip', flipByte),
  disk('full-disk', fillDisk),
  { kind: 'nats-kill', group: 'bus', strike: bus(killNats) },
  { kind: 'nats-pause', group: 'bus', strike: bus(suspendNats) },
  { kind: 'data-plane-kill', group: 'edge', strike: killDataPlane },
  { kind: 'worker-kill', group: 'edge', strike: killWorker },
  { kind: 'sandbox-crash', group: 'edge', strike: crashSandbox },
  { kind: 'edge-pause', group: 'edge', strike: to(edge, suspendMember) },
  { kind: 'edge-restart', group: 'edge', strike: to(edge, restart) },
  { kind: 'fd-exhaustion', group: 'edge', strike: exhaustDescriptors },
];

export const everything: Scenario = siege({
  name: 'everything',
  about: 'all kinds of faults, alone and in pairs, as the seed draws them',
  plan: { nats: 3, workers: 3, runtime: 'process' },
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
    diedInHand(chronicle.faults, failure) || hadNoDescriptor(chronicle.faults, failure),
});
