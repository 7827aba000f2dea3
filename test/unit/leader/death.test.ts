/** When a leader may believe that a worker is dead, because nobody subscribes for it (V2), and when it has to wait. */
import { describe, expect, it } from 'vitest';
import { Leader } from '../../../src/core/leader/leader.ts';
import { dataPlaneId, functionUid, sandboxId, workerId } from '../../../src/lib/ids.ts';
import { leaderOptions } from './options.ts';

const SUSPICION_MS = 3_000;
const TICK_MS = 25;
const REPORT_MS = 250;
const W2 = workerId('w2');

/**
 * A leader at n1, whose bus has been up for long, and a worker at n2 that it knows from data planes alone. What crosses
 * between the servers is the test's to say.
 */
class Watch {
  readonly leader: Leader;
  /** Data planes whose reports arrive, and their servers. */
  reporting: readonly (readonly [id: string, server: string])[] = [['dp1', 'n1']];
  /** What the leader's own server says when nobody is known to subscribe. */
  worker: 'no-responders' | 'answered' | 'unknown' = 'answered';
  nowMs = 10_000;
  withdrawnMs: number | undefined;
  probes = 0;
  #seq = 0;

  constructor(others: readonly string[]) {
    this.leader = new Leader(
      leaderOptions({ fence: { epoch: 1, term: 2 }, suspicionMs: SUSPICION_MS }),
      [],
      1,
      this.nowMs,
      { upSinceMs: 0, server: 'n1', others },
    );
    this.#report();
    this.leader.dataPlaneMessage(
      dataPlaneId('dp1'),
      {
        kind: 'held',
        incarnation: { ms: 1, nonce: 1 },
        part: 0,
        parts: 1,
        endpoints: [
          {
            sandbox: sandboxId('f-1-1-1'),
            uid: functionUid(1),
            generation: 1,
            specIndex: 1,
            worker: W2,
            address: 'unix:/f',
            owner: undefined,
          },
        ],
        workers: [],
      },
      this.nowMs,
    );
  }

  run(ms: number): this {
    for (const untilMs = this.nowMs + ms; this.nowMs < untilMs;) {
      this.nowMs += TICK_MS;
      if (this.nowMs % REPORT_MS === 0) this.#report();
      this.leader.tick(this.nowMs);
      for (let effects = this.#effects(); effects.length > 0;) effects = this.#effects();
    }
    return this;
  }

  #effects(): readonly unknown[] {
    const effects = this.leader.takeEffects(this.nowMs);
    for (const effect of effects) {
      if (effect.kind === 'probe-worker') {
        this.probes++;
        this.leader.workerProbed(effect.worker, this.worker, this.nowMs);
      }
      if (effect.kind === 'event' && effect.event === 'worker-dead') this.withdrawnMs ??= this.nowMs - 10_000;
    }
    return effects;
  }

  #report(): void {
    for (const [id, natsServer] of this.reporting)
      this.leader.dataPlaneMessage(
        dataPlaneId(id),
        {
          kind: 'report',
          incarnation: { ms: 1, nonce: 1 },
          seq: ++this.#seq,
          natsServer,
          caller: `http://${id}`,
          peer: `${id}:1`,
          fence: { epoch: 1, term: 2 },
          endpointSeq: 0,
          specIndex: 1,
          loads: [],
          withdrawing: [],
          refused: [],
          condemned: [],
          owned: [],
        },
        this.nowMs,
      );
  }
}

describe('a worker that nobody has heard, and for which nobody subscribes', () => {
  it('is dead at once where there is one server', () => {
    const watch = new Watch(['n1', 'n1']);
    watch.worker = 'no-responders';
    watch.run(500);
    expect(watch.withdrawnMs).toBeLessThanOrEqual(350);
    expect(watch.probes).toBe(2);
  });

  it('is dead once something has come through each server since', () => {
    const watch = new Watch(['n2']);
    watch.worker = 'no-responders';
    watch.reporting = [
      ['dp1', 'n1'],
      ['dp2', 'n2'],
    ];
    watch.run(1_000);
    expect(watch.withdrawnMs).toBeLessThanOrEqual(650);
  });

  it('may be behind a server that is out of reach: its silence runs out first', () => {
    const watch = new Watch(['n2', 'n3']);
    watch.worker = 'no-responders';
    watch.reporting = [
      ['dp1', 'n1'],
      ['dp3', 'n3'],
    ];
    watch.run(2_900);
    expect(watch.withdrawnMs).toBeUndefined();
    watch.run(300);
    expect(watch.withdrawnMs).toBeGreaterThanOrEqual(SUSPICION_MS);
  });

  it('lives on when its server is back before that', () => {
    const watch = new Watch(['n2']);
    watch.worker = 'unknown';
    // The route is cut, then gone, then there again, with its subscribers.
    watch.run(1_000);
    watch.worker = 'no-responders';
    watch.run(1_000);
    watch.worker = 'answered';
    watch.reporting = [
      ['dp1', 'n1'],
      ['dp2', 'n2'],
    ];
    watch.run(900);
    expect(watch.withdrawnMs).toBeUndefined();
  });
});
