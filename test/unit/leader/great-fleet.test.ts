/** What a leader makes of a fleet of which it cannot hear everybody at once. */
import { describe, expect, it } from 'vitest';
import { Leader } from '../../../src/core/leader/leader.ts';
import type { LeaderEffect } from '../../../src/core/leader/types.ts';
import type { WorkerReport } from '../../../src/core/model/worker-report.ts';
import { dataPlaneId, functionUid, sandboxId, workerId, type WorkerId } from '../../../src/lib/ids.ts';
import { limits } from '../../../src/lib/limits.ts';
import { leaderOptions } from './options.ts';

const SUSPICION_MS = 3_000;
const TICK_MS = 25;
const HEARTBEAT_MS = 1_000;
const FENCE = { epoch: 1, term: 2 };
const LIFE = { ms: 1, nonce: 1 };

/** A leader, and a fleet that its data plane has named to it: each worker with so many sandboxes. */
class Fleet {
  readonly leader: Leader;
  readonly ids: readonly WorkerId[];
  nowMs = 10_000;
  readonly beganMs: number = this.nowMs;
  /** How many are heard by now: the first of them. */
  heard = 0;
  /** Of those that are heard, the last so many say no more than their first word. */
  quiet = 0;
  /** Since when each has been heard, and how many heartbeats it has sent. */
  readonly #beats = new Map<WorkerId, number>();
  readonly #dead = new Set<string>();
  /** Dead in the last look. */
  latestDeaths = 0;
  /** When each was asked for its inventory. */
  readonly asked = new Map<WorkerId, number[]>();

  constructor(size: number, sandboxesEach = 1) {
    this.ids = Array.from({ length: size }, (_, i) => workerId(`w${i}`));
    this.leader = new Leader(
      leaderOptions({ fence: FENCE, suspicionMs: SUSPICION_MS, workerHeartbeatMs: HEARTBEAT_MS }),
      [],
      1,
      this.nowMs,
      { upSinceMs: 0, server: 'n1', others: [] },
    );
    this.leader.dataPlaneMessage(
      dataPlaneId('dp1'),
      {
        kind: 'held',
        incarnation: LIFE,
        part: 0,
        parts: 1,
        endpoints: this.ids.flatMap((worker, w) =>
          Array.from({ length: sandboxesEach }, (_, i) => ({
            sandbox: sandboxId(`f-1-${w + 1}-${i}`),
            uid: functionUid(1),
            generation: 1,
            specIndex: 1,
            worker,
            address: 'unix:/f',
            owner: undefined,
          })),
        ),
        workers: this.ids,
      },
      this.nowMs,
    );
  }

  get dead(): number {
    return this.#dead.size;
  }

  /** Until `ms` have passed, or until it says so. */
  run(ms: number, isEnough: () => boolean = () => false, eachTick: () => void = () => undefined): this {
    for (const untilMs = this.nowMs + ms; this.nowMs < untilMs && !isEnough();) {
      this.nowMs += TICK_MS;
      eachTick();
      for (const id of this.ids.slice(0, this.heard)) this.#beat(id);
      this.leader.tick(this.nowMs);
      this.latestDeaths = 0;
      for (const effect of this.leader.takeEffects(this.nowMs)) this.#note(effect);
    }
    return this;
  }

  /** No worker has sandboxes that it would name: what it says is that it is there, and at which version. */
  #beat(id: WorkerId): void {
    const [beats, sinceMs] = [this.#beats.get(id) ?? 0, this.nowMs - this.beganMs];
    if (beats > 0 && (sinceMs % HEARTBEAT_MS !== 0 || this.ids.indexOf(id) >= this.heard - this.quiet))
      return;
    this.#beats.set(id, beats + 1);
    this.say(id, {
      kind: 'heartbeat',
      incarnation: LIFE,
      seq: beats + 1,
      natsServer: 'n1',
      capacity: { cpuMillis: 1_000, memoryMiB: 1_024, sandboxes: 10 },
      cordoned: false,
      draining: false,
      driver: 'staged',
      isolation: '',
      labels: [],
      fence: FENCE,
      lastCommand: 0,
      sinceVersion: 7,
      version: 7,
      changes: [],
      artifactsAdded: [],
      artifactsRemoved: [],
    });
  }

  say(id: WorkerId, report: WorkerReport): void {
    this.leader.workerReport(id, report, this.nowMs);
  }

  /** That it runs nothing. */
  tellAll(id: string): void {
    this.say(workerId(id), {
      kind: 'inventory',
      incarnation: LIFE,
      version: 7,
      part: 0,
      parts: 1,
      sandboxes: [],
      artifacts: [],
    });
  }

  #note(effect: LeaderEffect): void {
    if (effect.kind === 'probe-worker') this.leader.workerProbed(effect.worker, 'answered', this.nowMs);
    else if (effect.kind === 'event' && effect.event === 'worker-dead') {
      this.#dead.add(effect.subject);
      this.latestDeaths++;
    } else if (effect.kind === 'notice' && effect.notice.notice.kind === 'send-inventory') {
      const times = this.asked.get(effect.worker) ?? [];
      this.asked.set(effect.worker, [...times, this.nowMs]);
    }
  }
}

describe('a fleet that a leader is slow to hear', () => {
  const SIZE = 100;
  const FEW = 20;

  it('is not taken for dead while others of it are still heard for the first time', () => {
    const fleet = new Fleet(SIZE);
    // The last fifth comes only after its suspicion has run out: too few for a mass silence.
    const arrive = (): void => {
      fleet.heard = Math.min(SIZE, Math.floor(((fleet.nowMs - fleet.beganMs) / 5_000) * SIZE));
    };
    fleet.run(7_000, undefined, arrive);
    expect(fleet.heard).toBe(SIZE);
    expect(fleet.dead).toBe(0);
  });

  it('is judged a suspicion interval after the last that came', () => {
    const fleet = new Fleet(SIZE);
    fleet.heard = SIZE - FEW;
    fleet.run(SUSPICION_MS - 100);
    expect(fleet.dead).toBe(0);
    fleet.run(500);
    expect(fleet.dead).toBe(FEW);
  });

  it('is judged after ten suspicion intervals, whoever still comes', () => {
    const fleet = new Fleet(SIZE);
    fleet.heard = SIZE - 2 * FEW;
    const trickle = (): void => {
      if ((fleet.nowMs - fleet.beganMs) % 2_000 === 0) fleet.heard = Math.min(SIZE - FEW, fleet.heard + 1);
    };
    fleet.run(10 * SUSPICION_MS - 100, undefined, trickle);
    expect(fleet.dead).toBe(0);
    fleet.run(500, undefined, trickle);
    expect(fleet.dead).toBeGreaterThanOrEqual(FEW);
  });

  it('is not taken for dead where it was heard once, while others tell for the first time what they run', () => {
    const fleet = new Fleet(SIZE);
    fleet.heard = SIZE;
    fleet.quiet = FEW;
    let told = 0;
    const tell = (): void => {
      if (told < SIZE - FEW && (fleet.nowMs - fleet.beganMs) % 100 === 0) fleet.tellAll(`w${told++}`);
    };
    fleet.run((SIZE - FEW) * 100 + SUSPICION_MS - 200, undefined, tell);
    expect(fleet.dead).toBe(0);
    fleet.run(500);
    expect(fleet.dead).toBe(FEW);
  });

  it('and is judged as ever once reconstruction has closed', () => {
    const fleet = new Fleet(SIZE);
    fleet.heard = SIZE;
    fleet.run(100);
    for (const id of fleet.ids) fleet.tellAll(id);
    fleet.run(SUSPICION_MS + 100, () => fleet.leader.isReconciled);
    expect(fleet.leader.isReconciled).toBe(true);
    fleet.quiet = 1;
    fleet.run(SUSPICION_MS + HEARTBEAT_MS + 200);
    expect(fleet.dead).toBe(1);
  });

  it('and a small one is judged as before, one by one', () => {
    const fleet = new Fleet(8);
    const arrive = (): void => {
      fleet.heard = fleet.nowMs - fleet.beganMs < 2_000 ? 6 : 7;
    };
    fleet.run(SUSPICION_MS + 200, undefined, arrive);
    expect(fleet.dead).toBe(1);
  });
});

describe('many silent workers with many sandboxes', () => {
  it('are buried in several looks, so that no look takes long', () => {
    const each = 100;
    const fleet = new Fleet(100, each);
    fleet.heard = 70;
    fleet.run(2 * SUSPICION_MS, () => fleet.dead > 0);
    const perLook = limits.buriedSandboxes / each;
    expect(fleet.latestDeaths).toBe(perLook);
    fleet.run(200);
    expect(fleet.dead).toBe(30);
  });
});

describe('the request for an inventory', () => {
  const sinceBegin = (fleet: Fleet, id: WorkerId): number[] =>
    (fleet.asked.get(id) ?? []).map((ms) => ms - fleet.beganMs);
  const first = workerId('w0');

  it('is made again with each heartbeat while a small fleet does not answer', () => {
    const fleet = new Fleet(8);
    fleet.heard = 8;
    fleet.run(4_100);
    expect(sinceBegin(fleet, first)).toEqual([TICK_MS, 1_000, 2_000, 3_000, 4_000]);
  });

  it('is made again less and less often of a great one, which spreads its answers', () => {
    const fleet = new Fleet(100);
    fleet.heard = 100;
    fleet.run(24_100);
    expect(sinceBegin(fleet, first)).toEqual([TICK_MS, 2_000, 5_000, 11_000, 17_000, 23_000]);
  });

  it('is made at once when an inventory has come in the meantime', () => {
    const fleet = new Fleet(100);
    fleet.heard = 100;
    fleet.run(5_100);
    fleet.say(first, {
      kind: 'inventory',
      incarnation: LIFE,
      version: 6,
      part: 0,
      parts: 1,
      sandboxes: [],
      artifacts: [],
    });
    fleet.run(1_000);
    expect(sinceBegin(fleet, first)).toEqual([TICK_MS, 2_000, 5_000, 6_000]);
  });
});
