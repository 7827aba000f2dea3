/**
 * Which faults strike whom and when: drawn from the seed before anything runs, carried out one after the other, so that no more
 * than a minority is ever down or without a vote. Each must show that it happened.
 */
import { explain, isBatonError } from '../src/lib/errors.ts';
import type { Prng } from '../src/lib/prng.ts';
import { flipByte, wipeDisk } from './faults/disk.ts';
import { fillDisk } from './faults/full-disk.ts';
import { killAndRestart, type Kill } from './faults/process.ts';
import type { Chronicle } from './histories/chronicle.ts';
import type { Stage } from './stage.ts';
import { pause } from './until.ts';

export type DiskFault = 'wipe' | 'flip' | 'full-disk';

export type Act =
  | (Kill & {
      readonly kind: 'kill';
      readonly aim: 'leader' | 'any';
      /** Between its return and the next act. */
      readonly calmMs: number;
    })
  | { readonly kind: DiskFault; readonly aim: 'leader' | 'any' };

/** One act as it was carried out. */
export interface Strike {
  readonly atMs: number;
  readonly kind: Act['kind'];
  readonly victim: string;
  readonly wasLeader: boolean;
  readonly tookMs: number;
  /** What shows that it happened. */
  readonly proof: string;
}

const WHOLE_TIMEOUT_MS = 30_000;
const LEADER_PCT = 65;
/** Of the kills: right after the replica is back, while the cluster is still busy with the last one. */
const HASTY_PCT = 25;
/** Of the kills: a second one during the recovery from the first. */
const AGAIN_PCT = 10;

/** `kills` kills, with the faults of disks spread evenly between them. */
export function planActs(kills: number, disks: readonly DiskFault[], random: Prng): Act[] {
  const acts: Act[] = [];
  let placed = 0;
  for (let kill = 0; kill < kills; kill++) {
    const aim = random.below(100) < LEADER_PCT ? 'leader' : 'any';
    const calmMs = random.below(100) < HASTY_PCT ? random.below(100) : 200 + random.below(1_300);
    const againAfterMs = random.below(100) < AGAIN_PCT ? random.below(500) : undefined;
    acts.push({ kind: 'kill', aim, downMs: random.below(700), againAfterMs, calmMs });
    while (placed < disks.length && (kill + 1) * (disks.length + 1) >= (placed + 1) * kills) {
      const disk = disks[placed++];
      if (disk !== undefined) acts.push({ kind: disk, aim: random.below(2) === 0 ? 'leader' : 'any' });
    }
  }
  return acts;
}

/** Three of each over a long run, one of each over a short one, in an order that the seed draws. */
export function drawDiskFaults(kills: number, random: Prng): DiskFault[] {
  const each = kills >= 100 ? 3 : 1;
  const faults = (['wipe', 'flip', 'full-disk'] as const).flatMap((kind) =>
    Array.from({ length: each }, () => ({ kind, at: random.float() })),
  );
  return faults.sort((a, b) => a.at - b.at).map(({ kind }) => kind);
}

export class Nemesis {
  readonly strikes: Strike[] = [];
  readonly #stage: Stage;
  readonly #chronicle: Chronicle;
  readonly #random: Prng;

  constructor(stage: Stage, chronicle: Chronicle, random: Prng) {
    this.#stage = stage;
    this.#chronicle = chronicle;
    this.#random = random;
  }

  count(kind: Act['kind']): number {
    return this.strikes.filter((strike) => strike.kind === kind).length;
  }

  /** @throws Error that names the act, when the cluster did not do what it must under it */
  async carryOut(act: Act): Promise<void> {
    const stage = this.#stage;
    await stage.untilWhole(WHOLE_TIMEOUT_MS);
    const leader = (await stage.leader())?.id;
    const drawn = stage.replicas[this.#random.below(stage.replicas.length)]?.id ?? '';
    const victim = act.aim === 'leader' ? (leader ?? drawn) : drawn;
    const atMs = Math.round(this.#chronicle.now());
    const over = this.#chronicle.fault(act.kind, victim);
    try {
      const proof = await this.#strike(act, victim);
      over(proof);
      const tookMs = Math.round(this.#chronicle.now()) - atMs;
      this.strikes.push({ atMs, kind: act.kind, victim, wasLeader: victim === leader, tookMs, proof });
    } catch (cause) {
      if (isBatonError(cause, 'canceled')) throw cause;
      throw new Error(`${act.kind} of ${victim}: ${explain(cause)}`, { cause });
    }
    if (act.kind === 'kill') await pause(act.calmMs, stage.signal);
  }

  #strike(act: Act, victim: string): Promise<string> {
    switch (act.kind) {
      case 'kill':
        return killAndRestart(this.#stage, victim, act);
      case 'wipe':
        return wipeDisk(this.#stage, victim);
      case 'flip':
        return flipByte(this.#stage, victim, this.#random);
      case 'full-disk':
        return fillDisk(this.#stage, victim);
      default:
        return act satisfies never;
    }
  }
}
