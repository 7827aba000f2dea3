/** Why a function has its scale, piece by piece: what `baton describe function` shows. */
import { describe, expect, it } from 'vitest';
import type { ScaleView } from '../../../src/core/leader/types.ts';
import type { FunctionUid } from '../../../src/lib/ids.ts';
import { Stage } from './stage.ts';

const WINDOW_MS = 60_000;

function scaleOf(stage: Stage, uid: FunctionUid): ScaleView {
  const view = stage.leader.scale(uid);
  if (view === undefined) throw new Error('no such function');
  return view;
}

/** One worker, and a function that is asked for so much at once. */
function asked(inFlight: number, min = 0): { stage: Stage; uid: FunctionUid } {
  const stage = new Stage().reconciled();
  stage.worker('w1');
  const { uid, spec } = stage.put('hello', 0);
  stage.put('hello', 0, { scaling: { ...spec.scaling, min, max: 0 } });
  stage.loads = [{ uid, inFlight, queued: 0 }];
  stage.run(1_000);
  return { stage, uid };
}

describe('the scale of a function', () => {
  it('needs no reason while nothing was decided', () => {
    const stage = new Stage().reconciled();
    const { uid } = stage.put('hello', 0);
    stage.failover();
    expect(scaleOf(stage, uid)).toMatchObject({ decision: undefined, change: undefined, waitingFor: [] });
    expect(stage.leader.scale((uid + 1) as FunctionUid)).toBeUndefined();
  });

  it('of one that is registered before reconciliation closes is decided at once: there is no evidence to wait for', () => {
    const stage = new Stage();
    stage.worker('w1');
    const { uid } = stage.put('hello', 0);
    stage.run(300);
    expect(stage.leader.isReconciled).toBe(false);
    expect(scaleOf(stage, uid).decision).toMatchObject({ rule: 'idle', wanted: 0 });
  });

  it('is its minimum’s, where nothing is asked of it', () => {
    const { stage, uid } = asked(0, 2);
    stage.run(2 * WINDOW_MS);
    const { decision, change, ready } = scaleOf(stage, uid);
    expect(ready).toBe(2);
    expect(decision).toMatchObject({ rule: 'idle', wanted: 0, bound: { kind: 'min', scale: 2 } });
    expect(change).toMatchObject({ to: 2, why: expect.stringContaining('min 2') as string });
  });

  it('is the panic window’s, for a burst', () => {
    const { stage, uid } = asked(1_000);
    const { decision, load } = scaleOf(stage, uid);
    expect(load).toBe(1_000);
    expect(decision).toMatchObject({ rule: 'panic', panicLeftMs: expect.any(Number) as number });
    expect(decision?.wanted).toBe(Math.ceil((decision?.panicLoad ?? 0) / (decision?.target ?? 1)));
  });

  it('is kept for a whole window after a failover, and says for how long', () => {
    const { stage, uid } = asked(0, 1);
    stage.loads = [];
    stage.put('hello', 0);
    stage.failover();
    stage.reconciled();
    const { decision, desired } = scaleOf(stage, uid);
    expect(desired).toBe(1);
    expect(decision?.bound).toMatchObject({ kind: 'watching', scale: 1 });
    expect(decision?.bound?.leftMs).toBeGreaterThan(0);
    expect(decision?.bound?.text).toMatch(/^not watched for a whole stable window yet: 1 for another \d+ s$/);
  });

  it('is not reached where no worker has room', () => {
    const { stage, uid } = asked(0, 20);
    const { ready, desired, waitingFor } = scaleOf(stage, uid);
    expect(ready).toBeLessThan(desired);
    expect(waitingFor).toEqual([expect.stringMatching(/^no worker has room for \d+ more/)]);
  });

  it('says when it was looked at last, and when it changed', () => {
    const { stage, uid } = asked(0, 1);
    const before = scaleOf(stage, uid).change?.msAgo ?? 0;
    stage.loads = [{ uid, inFlight: 1, queued: 0 }];
    stage.run(2_000);
    const { decision, change } = scaleOf(stage, uid);
    expect(decision?.msAgo).toBeLessThan(500);
    expect(change?.msAgo).toBe(before + 2_000);
  });
});
