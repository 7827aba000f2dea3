import { describe, expect, it } from 'vitest';
import { Stage } from './stage.ts';

const SSD = { name: 'disk', value: 'ssd' };

describe('a leader places', () => {
  it('as the cluster is configured, where the function chooses nothing', () => {
    const spreading = new Stage().reconciled();
    const packing = new Stage({ placement: 'bin-packing' }).reconciled();
    for (const stage of [spreading, packing]) {
      for (const name of ['w1', 'w2', 'w3']) stage.worker(name);
      stage.put('hello', 6);
      stage.run(1_000);
    }
    expect(spreading.spread()).toEqual({ w1: 2, w2: 2, w3: 2 });
    expect(packing.spread()).toEqual({ w1: 6, w2: 0, w3: 0 });
  });

  it('as the function chooses, whatever the cluster does', () => {
    const stage = new Stage({ placement: 'bin-packing' }).reconciled();
    for (const name of ['w1', 'w2', 'w3']) stage.worker(name);
    stage.put('hello', 6, { placement: 'round-robin' });
    stage.run(1_000);
    expect(stage.spread()).toEqual({ w1: 2, w2: 2, w3: 2 });
  });

  it('only where the labels are that the function selects by', () => {
    const stage = new Stage().reconciled();
    stage.worker('w1');
    stage.worker('w2', { labels: [SSD] });
    stage.worker('w3', { labels: [{ name: 'disk', value: 'hdd' }] });
    stage.put('hello', 3, { selector: [SSD] });
    stage.run(1_000);
    expect(stage.spread()).toEqual({ w1: 0, w2: 3, w3: 0 });
    expect(stage.leader.workers().map(({ labels }) => labels)).toEqual([[], [SSD], expect.any(Array)]);
  });

  it('where the artifact is already, while there is room, and then elsewhere', () => {
    const stage = new Stage({ placement: 'artifact-locality' }).reconciled();
    stage.worker('w1');
    const { spec } = stage.put('hello', 0);
    stage.worker('w2', { artifacts: [spec.artifact], capacity: { sandboxes: 3 } });
    stage.worker('w3');
    expect(stage.leader.workers().map(({ artifacts }) => artifacts)).toEqual([0, 1, 0]);
    stage.put('hello', 3);
    stage.run(500);
    expect(stage.spread()).toEqual({ w1: 0, w2: 3, w3: 0 });
    stage.put('other', 2);
    stage.run(500);
    expect(stage.spread(), 'there is no room where it is').toEqual({ w1: 1, w2: 3, w3: 1 });
  });

  it('not where the artifact was before the worker was restarted without it', () => {
    const stage = new Stage({ placement: 'artifact-locality' }).reconciled();
    stage.worker('w1');
    const { spec } = stage.put('hello', 0);
    stage.worker('w2', { artifacts: [spec.artifact] });
    stage.run(100);
    stage.worker('w2');
    stage.put('hello', 1);
    stage.run(500);
    expect(stage.spread()).toEqual({ w1: 1, w2: 0 });
  });

  it('nothing new on a cordoned worker, and says what is in the way', () => {
    const stage = new Stage().reconciled();
    stage.worker('w1');
    stage.worker('w2', { capacity: { memoryMiB: 256 } });
    stage.worker('w3', { capacity: { memoryMiB: 100 } });
    stage.cordon('w1', true);
    stage.run(100);
    stage.put('hello', 4);
    stage.run(1_000);
    const why = 'no worker has room for 2 more (0 of 3 workers: 1 cordoned, 2 lack memory)';
    expect(stage.spread()).toEqual({ w1: 0, w2: 2, w3: 0 });
    expect(stage.reason()).toContain(why);
    expect(stage.events).toContainEqual(
      expect.objectContaining({ event: 'no-capacity', subject: 'hello', message: why }),
    );
    stage.cordon('w1', false);
    stage.run(1_000);
    expect(stage.spread()).toEqual({ w1: 2, w2: 2, w3: 0 });
  });

  it('into what a sandbox had reserved, once that is gone', () => {
    const stage = new Stage().reconciled();
    const { core } = stage.worker('w1');
    const allocated = (): object | undefined => stage.leader.workers()[0]?.allocated;
    const { resources } = stage.put('hello', 2).spec;
    stage.run(500);
    expect(allocated()).toEqual({
      cpuMillis: 2 * resources.cpuMillis,
      memoryMiB: 2 * resources.memoryMiB,
      sandboxes: 2,
    });
    stage.cordon('w1', true);
    for (const id of [...core.sandboxes.keys()]) core.onGone(id, 'crashed', '');
    stage.run(100);
    expect(allocated()).toEqual({ cpuMillis: 0, memoryMiB: 0, sandboxes: 0 });
  });

  it('no trial where none fits, and says the same', () => {
    const stage = new Stage().reconciled();
    stage.worker('w1');
    const { spec } = stage.put('hello', 0);
    stage.leader.startTrial(1, { ...spec, selector: [SSD] }, stage.nowMs);
    expect(stage.leader.takeEffects(stage.nowMs)).toContainEqual(
      expect.objectContaining({
        kind: 'trial',
        result: expect.objectContaining({
          reason: 'no-capacity',
          message: 'no worker has room for a trial (0 of 1 workers: 1 does not match the selector)',
        }) as object,
      }),
    );
  });
});
