import { describe, expect, it } from 'vitest';
import { limits } from '../../../src/lib/limits.ts';
import type { DrainRow } from '../../../src/core/leader/types.ts';
import { workerId, type SandboxId } from '../../../src/lib/ids.ts';
import { Stage } from './stage.ts';

const drainOf = (stage: Stage, name = 'w1'): DrainRow | undefined => stage.leader.drainOf(workerId(name));
const eventsOf = (stage: Stage, kind: string): string[] =>
  stage.events.filter(({ event }) => event === kind).map(({ subject, message }) => `${subject}: ${message}`);

/** `scale` sandboxes on w1, of which `wanted` are, and then a w2 on which starts hang. */
function busy(
  scale: number,
  capacity = 10,
  wanted = scale,
): { stage: Stage; w2: ReturnType<Stage['worker']> } {
  const stage = new Stage().reconciled();
  stage.worker('w1', { capacity: { cpuMillis: 100_000, memoryMiB: 100_000, sandboxes: 100 } });
  const { spec } = stage.put('hello', scale);
  stage.run(500);
  if (wanted !== scale) stage.put('hello', scale, { scaling: { ...spec.scaling, min: wanted, max: 0 } });
  stage.run(500);
  const w2 = stage.worker('w2', {
    capacity: { cpuMillis: 100_000, memoryMiB: 100_000, sandboxes: capacity },
  });
  w2.starts = 'never';
  return { stage, w2 };
}

describe('a worker that is drained', () => {
  it('keeps what serves until as many are ready elsewhere, and loses it in the batch that brings those', () => {
    const { stage, w2 } = busy(2);
    stage.drain('w1');
    stage.run(500);
    expect(stage.spread(), 'both still serve').toEqual({ w1: 2, w2: 2 });
    expect(drainOf(stage)).toEqual({
      worker: 'w1',
      phase: 'draining',
      left: 2,
      moving: 2,
      finishing: 0,
      waiting: [],
    });
    stage.batches.length = 0;
    stage.catchUp(w2);
    expect(stage.batches).toEqual([['put', 'put', 'withdraw', 'withdraw']]);
    stage.run(100);
    expect(drainOf(stage)).toMatchObject({ phase: 'drained', left: 0 });
    expect(stage.spread()).toEqual({ w1: 0, w2: 2 });
    stage.run(60_000);
    expect(stage.spread(), 'and so it stays').toEqual({ w1: 0, w2: 2 });
  });

  it('is told of in events: when it begins, and when nothing is left', () => {
    const { stage, w2 } = busy(2);
    stage.drain('w1');
    stage.run(100);
    stage.catchUp(w2);
    stage.run(100);
    expect(eventsOf(stage, 'draining')).toEqual(['w1: 2 sandboxes to move']);
    expect(eventsOf(stage, 'drained')).toEqual(['w1: nothing runs there']);
    expect(eventsOf(stage, 'withdrawn')).toEqual([
      expect.stringContaining('worker w1 is drained'),
      expect.stringContaining('worker w1 is drained'),
    ]);
  });

  it('is not drained while a request runs there', () => {
    const { stage, w2 } = busy(1);
    const [row] = stage.leader.sandboxes();
    const sandbox = row?.id as SandboxId;
    stage.inFlight.set(sandbox, 1);
    stage.drain('w1');
    stage.catchUp(w2);
    stage.run(10_000);
    expect(drainOf(stage)).toMatchObject({ phase: 'draining', left: 1, moving: 0, finishing: 1 });
    expect(stage.commands.filter((command) => command.includes('drain'))).toEqual([]);
    stage.inFlight.clear();
    stage.run(100);
    expect(drainOf(stage)?.phase).toBe('drained');
  });

  it('keeps what has no room elsewhere, says why, and loses it when there is', () => {
    const { stage, w2 } = busy(2, 1);
    stage.drain('w1');
    stage.catchUp(w2);
    stage.run(1_000);
    const why = '0 of 2 workers: 1 cordoned, 1 has no slot left';
    expect(stage.spread()).toEqual({ w1: 1, w2: 1 });
    expect(drainOf(stage)).toMatchObject({
      phase: 'draining',
      left: 1,
      waiting: [`no room elsewhere for hello (${why})`],
    });
    const said = `no worker has room for 1 that is on workers that are drained (${why})`;
    expect(stage.reason()).toContain(said);
    expect(eventsOf(stage, 'no-capacity')).toEqual([`hello: ${said}`]);
    stage.worker('w3');
    stage.run(100);
    expect(stage.spread()).toEqual({ w1: 0, w2: 1, w3: 1 });
    expect(drainOf(stage)?.phase).toBe('drained');
  });

  it('names so many reasons and no more', () => {
    const stage = new Stage().reconciled();
    stage.worker('w1', { capacity: { sandboxes: 100 } });
    for (let n = 0; n < limits.drainReasons + 2; n++) stage.put(`fn-${n}`, 1);
    stage.run(100);
    stage.drain('w1');
    stage.run(1_000);
    expect(drainOf(stage)?.waiting).toHaveLength(limits.drainReasons);
  });

  it('loses first what is wanted no more', () => {
    const { stage, w2 } = busy(3, 1);
    stage.drain('w1');
    stage.catchUp(w2);
    stage.run(500);
    expect(stage.spread()).toEqual({ w1: 2, w2: 1 });
    const { spec } = stage.put('hello', 3);
    stage.put('hello', 1, { scaling: { ...spec.scaling, min: 1, max: 1 } });
    stage.run(5_000);
    expect(stage.spread()).toEqual({ w1: 0, w2: 1 });
  });

  it('loses what was only starting as soon as one is ready elsewhere', () => {
    const stage = new Stage().reconciled();
    const w1 = stage.worker('w1');
    w1.starts = 'never';
    stage.put('hello', 1);
    stage.run(100);
    stage.drain('w1');
    stage.worker('w2');
    stage.run(300);
    expect(stage.spread()).toEqual({ w1: 0, w2: 1 });
    expect(stage.commands.filter((command) => command.startsWith('w1 kill'))).toHaveLength(1);
  });

  it('keeps what does not start elsewhere, and says so', () => {
    const { stage, w2 } = busy(1);
    w2.starts = 'in vain';
    stage.drain('w1');
    stage.run(600);
    expect(stage.spread()).toEqual({ w1: 1, w2: 0 });
    expect(drainOf(stage)?.waiting).toEqual([
      expect.stringMatching(/^hello: its last 2 starts failed \(boom\)/),
    ]);
    stage.catchUp(w2);
    stage.run(1_000);
    expect(drainOf(stage)?.phase).toBe('drained');
  });

  it('has a bounded number of its sandboxes moving at once', () => {
    const scale = limits.drainMoves + 8;
    const { stage, w2 } = busy(scale, 100);
    stage.drain('w1');
    stage.run(2_000);
    expect(stage.spread()).toEqual({ w1: scale, w2: limits.drainMoves });
    expect(drainOf(stage)).toMatchObject({ left: scale, moving: limits.drainMoves });
    stage.catchUp(w2);
    stage.run(500);
    expect(stage.spread()).toEqual({ w1: 0, w2: scale });
  });

  it('gives its sandboxes with a hard limit to the owner that their function has', () => {
    const { stage, w2 } = busy(0);
    stage.catchUp(w2);
    stage.cordon('w2', true);
    stage.put('hard', 2, { containerConcurrency: 1 });
    stage.run(500);
    expect(stage.spread()).toEqual({ w1: 2, w2: 0 });
    stage.cordon('w2', false);
    stage.drain('w1');
    stage.run(500);
    expect(stage.spread()).toEqual({ w1: 0, w2: 2 });
    const owners = [...w2.core.sandboxes.values()].map(({ owner }) => owner?.dataPlane);
    expect([owners, eventsOf(stage, 'owner')]).toEqual([['dp1', 'dp1'], ['hard: owned by dp1']]);
  });

  it('goes on where it was under a new leader, which starts no second fleet', () => {
    const { stage, w2 } = busy(2, 10, 0);
    stage.drain('w1');
    stage.run(500);
    expect(stage.spread()).toEqual({ w1: 2, w2: 2 });
    stage.failover();
    expect(drainOf(stage)?.phase).toBe('reconciling');
    stage.reconciled();
    expect(drainOf(stage)).toMatchObject({ phase: 'draining', left: 2, moving: 2 });
    expect(stage.spread(), 'nothing was started again, nothing withdrawn').toEqual({ w1: 2, w2: 2 });
    stage.catchUp(w2);
    stage.run(100);
    expect(stage.spread()).toEqual({ w1: 0, w2: 2 });
    expect(drainOf(stage)?.phase).toBe('drained');
  });

  it.each([
    ['uncordoned', false],
    ['cordoned', true],
  ])('is not drained any more when it is %s: what serves there stays', (_, on) => {
    const { stage, w2 } = busy(2);
    stage.drain('w1');
    stage.run(500);
    stage.cordon('w1', on);
    stage.catchUp(w2);
    stage.run(500);
    expect(drainOf(stage)?.phase).toBe('none');
    expect(stage.spread()).toEqual({ w1: 2, w2: 0 });
    expect(eventsOf(stage, 'draining')).toEqual([
      'w1: 2 sandboxes to move',
      'w1: ended with 2 sandboxes left',
    ]);
    expect(stage.leader.workers()[0]).toMatchObject({ cordoned: on, draining: false });
  });

  it('that nobody knows is not there, and while there may be some nobody can tell', () => {
    const stage = new Stage();
    expect(drainOf(stage)?.phase).toBe('reconciling');
    stage.reconciled();
    expect(drainOf(stage)).toBeUndefined();
    expect(stage.leader.cordon(workerId('w1'), { on: true, drain: true }, 0)).toBe(false);
  });
});
