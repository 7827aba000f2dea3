/** What a leader answers that may not have heard of a worker yet. Virtual time. */
import { describe, expect, it } from 'vitest';
import { Cordons } from '../../../src/control-plane/cordons.ts';
import { BatonError } from '../../../src/lib/errors.ts';
import { workerId } from '../../../src/lib/ids.ts';
import { Stage } from '../leader/stage.ts';

const W1 = workerId('w1');
const ON = { on: true, drain: false };

interface Setting {
  readonly stage: Stage;
  readonly cordons: Cordons;
  leads: boolean;
}

/** @param meanwhile called in each moment of a wait */
function setting(stage: Stage, meanwhile: () => void = () => undefined): Setting {
  const made: Setting = {
    stage,
    leads: true,
    cordons: new Cordons({
      brain: () => {
        if (!made.leads) throw new BatonError('not-leader', 'this replica does not lead');
        return stage.leader;
      },
      now: () => stage.nowMs,
      flush: () => stage.run(25),
      until: async (timeoutMs, condition) => {
        const untilMs = stage.nowMs + timeoutMs;
        while (!condition()) {
          if (stage.nowMs >= untilMs) return false;
          stage.run(25);
          meanwhile();
          await Promise.resolve();
        }
        return true;
      },
    }),
  };
  return made;
}

/** Its connection is down: nobody is heard, and reconciliation does not close. */
function deaf(): Stage {
  const stage = new Stage();
  stage.leader.busStatus({ up: false, server: '' }, stage.nowMs);
  return stage;
}

describe('before reconciliation has closed', () => {
  it('a worker that is not known is waited for', async () => {
    const { stage, cordons } = setting(new Stage(), () => {
      if (stage.workers.size === 0 && stage.nowMs >= 300) stage.worker('w1');
    });
    await cordons.set(W1, ON);
    expect(stage.leader.isReconciled).toBe(false);
    expect(stage.leader.cordonOf(W1)).toEqual(ON);
  });

  it('a worker that is not heard in time is not said to be none', async () => {
    const { stage, cordons } = setting(deaf());
    await expect(cordons.set(W1, ON)).rejects.toMatchObject({
      code: 'not-synced',
      message: 'this leader has not heard of worker w1 yet',
    });
    expect(stage.nowMs).toBe(2_000);
    expect(cordons.drainOf(W1)).toMatchObject({ phase: 'reconciling', left: 0 });
  });

  it('nor does a leader that is none any more say so', async () => {
    const made = setting(deaf(), () => (made.leads = made.stage.nowMs < 500));
    await expect(made.cordons.set(W1, ON)).rejects.toMatchObject({ code: 'not-leader' });
  });

  it('a worker that is none is not found as soon as it closes', async () => {
    const { stage, cordons } = setting(new Stage());
    await expect(cordons.set(W1, ON)).rejects.toMatchObject({ code: 'not-found' });
    expect(stage.leader.isReconciled).toBe(true);
    expect(stage.nowMs).toBeLessThan(2_000);
  });
});

describe('after it', () => {
  it('a worker that is not known is not found, at once', async () => {
    const { stage, cordons } = setting(new Stage().reconciled());
    const beforeMs = stage.nowMs;
    await expect(cordons.set(W1, ON)).rejects.toMatchObject({ code: 'not-found', message: 'no worker w1' });
    expect(() => cordons.drainOf(W1)).toThrow('no worker w1');
    expect(stage.nowMs).toBe(beforeMs);
  });

  it('a worker that does not confirm is told of', async () => {
    const { stage, cordons } = setting(new Stage().reconciled());
    stage.worker('w1');
    // It ends: what it is sent is not carried out.
    stage.workers.clear();
    await expect(cordons.set(W1, ON)).rejects.toMatchObject({ code: 'timeout' });
  });
});
