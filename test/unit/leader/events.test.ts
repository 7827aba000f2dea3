/** What a leader tells of itself (docs/events.md): enough to follow it, and never the same over and over. */
import { describe, expect, it } from 'vitest';
import { sandboxId, workerId } from '../../../src/lib/ids.ts';
import { heartbeat } from '../fleet/fixtures.ts';
import { Stage } from './stage.ts';

const said = (stage: Stage, event: string): readonly string[] =>
  stage.events
    .filter((row) => row.event === event)
    .map(({ subject, message }) => `${subject}: ${message}`.replace(/\d+ ms/, 'N ms'));

describe('a leader says', () => {
  it('what became of a function, from its registration to its end, each under the function’s name', () => {
    const stage = new Stage().reconciled();
    stage.worker('w1');
    stage.put('hello', 1);
    stage.run(500);
    stage.delete('hello');
    stage.run(500);
    expect(stage.events.filter((row) => row.function === 'hello').map(({ event }) => event)).toEqual([
      'registered',
      'scaled',
      'placed',
      'deleted',
      'withdrawn',
    ]);
    expect(said(stage, 'registered')).toEqual(['hello: generation 1']);
    expect(said(stage, 'deleted')).toEqual(['hello: at generation 1']);
    expect(said(stage, 'withdrawn')).toEqual(['hello-1-1-1: its function was deleted']);
  });

  it('what it swept once it was reconciled, and why', () => {
    const stage = new Stage().reconciled();
    stage.worker('w1');
    stage.put('hello', 1);
    stage.run(500);
    stage.inFlight.set(sandboxId('hello-1-1-1'), 1);
    stage.delete('hello');
    stage.failover();
    stage.reconciled();
    expect(said(stage, 'swept')).toEqual(['hello-1-1-1: its function is gone']);
    expect(said(stage, 'reconciled').at(-1)).toBe('term 2: after N ms, 1 workers, 1 swept');
  });

  it('that there is no room when it begins, not each time it looks', () => {
    const stage = new Stage().reconciled();
    stage.worker('w1', { capacity: { sandboxes: 1 } });
    stage.put('hello', 3);
    stage.run(9_000);
    expect(said(stage, 'no-capacity')).toHaveLength(1);
    stage.worker('w2', { capacity: { sandboxes: 2 } });
    stage.run(500);
    expect(stage.spread()).toEqual({ w1: 1, w2: 2 });
    stage.put('hello', 9);
    stage.run(10_000);
    expect(said(stage, 'no-capacity'), 'and again when it begins again').toHaveLength(2);
  });

  it('once that it refuses a life that is over, however often that one speaks', () => {
    const stage = new Stage().reconciled();
    stage.worker('w1');
    for (let n = 0; n < 5; n++)
      stage.leader.workerReport(
        workerId('w1'),
        heartbeat(0, n, [], { incarnation: { ms: 5, nonce: 9 } }),
        stage.nowMs,
      );
    stage.run(100);
    expect(said(stage, 'refused')).toEqual(['w1: stale: of an earlier life of this worker']);
  });
});
