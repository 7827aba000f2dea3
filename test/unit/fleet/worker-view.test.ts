/** One worker as it last reported itself: its own word, merged by version. */
import { beforeEach, describe, expect, it } from 'vitest';
import { WorkerView, type MergeResult } from '../../../src/core/fleet/worker-view.ts';
import { functionUid, workerId, type Digest } from '../../../src/lib/ids.ts';
import { heartbeat, inventory, status } from './fixtures.ts';

let view: WorkerView;
beforeEach(() => {
  view = new WorkerView(workerId('w-1'));
});

const held = (): string[] => [...view.sandboxes.values()].map(({ id, state }) => `${id} ${state}`);
const changed = ({ changes }: MergeResult): string[] =>
  changes.map(
    ({ before, after }) => `${(after ?? before)?.id}: ${before?.state ?? '-'} → ${after?.state ?? '-'}`,
  );

describe('a heartbeat', () => {
  it('says what changed, and nothing else is forgotten', () => {
    view.merge(heartbeat(0, 1, [status('s-1', 1, 'starting')]));
    const result = view.merge(heartbeat(1, 3, [status('s-1', 2), status('s-2', 3, 'starting')]));
    expect(changed(result)).toEqual(['s-1: starting → ready', 's-2: - → starting']);
    expect(held()).toEqual(['s-1 ready', 's-2 starting']);
    expect(view.version).toBe(3);
  });

  it('says how the worker is', () => {
    view.merge(
      heartbeat(0, 0, [], { cordoned: true, draining: true, driver: 'process', natsServer: 'nats-2' }),
    );
    expect(view).toMatchObject({
      cordoned: true,
      draining: true,
      driver: 'process',
      natsServer: 'nats-2',
      capacity: { cpuMillis: 4_000 },
    });
  });

  it('that comes twice or late changes nothing, and brings back nothing that is gone', () => {
    const first = heartbeat(0, 1, [status('s-1', 1)]);
    const gone = heartbeat(1, 2, [status('s-1', 2, 'gone')]);
    expect(changed(view.merge(first))).toEqual(['s-1: - → ready']);
    expect(changed(view.merge(first))).toEqual([]);
    expect(changed(view.merge(gone))).toEqual(['s-1: ready → gone']);
    expect(changed(view.merge(first))).toEqual([]);
    expect(changed(view.merge(gone))).toEqual([]);
    expect(held()).toEqual([]);
  });

  it('with a gap before it counts, and asks for an inventory until there is one', () => {
    view.merge(heartbeat(0, 0));
    const result = view.merge(heartbeat(3, 4, [status('s-4', 4)]));
    expect([result.needInventory, view.version, held()]).toEqual([true, 0, ['s-4 ready']]);
    expect(view.merge(heartbeat(4, 4)).needInventory, 'still').toBe(true);
    view.merge(inventory(4, [status('s-3', 3), status('s-4', 4)]));
    expect(view.merge(heartbeat(4, 4)).needInventory).toBe(false);
    expect([view.version, held()]).toEqual([4, ['s-4 ready', 's-3 ready']]);
  });

  it('of a worker that never ran anything is its inventory', () => {
    expect(view.merge(heartbeat(0, 0))).toMatchObject({ needInventory: false, inventoried: true });
    expect(new WorkerView(workerId('w-2')).merge(heartbeat(5, 5))).toMatchObject({
      needInventory: true,
      inventoried: false,
    });
  });
});

describe('an inventory', () => {
  it('takes out what it lacks, unless that is newer', () => {
    view.merge(heartbeat(0, 4, [status('old', 2), status('kept', 3), status('new', 6)]));
    const result = view.merge(inventory(5, [status('kept', 3)]));
    expect([changed(result), result.inventoried]).toEqual([['old: ready → -'], true]);
    expect(held()).toEqual(['kept ready', 'new ready']);
  });

  it('is complete with its last part, in whatever order and however often the parts come', () => {
    view.merge(heartbeat(9, 9, [status('old', 1)]));
    const parts = [
      inventory(9, [status('a', 7)], { part: 0, parts: 3 }),
      inventory(9, [], { part: 1, parts: 3 }),
      inventory(9, [status('b', 8)], { part: 2, parts: 3 }),
    ] as const;
    expect(view.merge(parts[2]).inventoried).toBe(false);
    expect(view.merge(parts[2]).inventoried).toBe(false);
    expect(view.merge(parts[0]).inventoried).toBe(false);
    expect(held(), 'nothing goes before the whole is here').toContain('old ready');
    expect(view.merge(parts[1]).inventoried).toBe(true);
    expect(held()).toEqual(['b ready', 'a ready']);
    expect(view.merge(heartbeat(9, 9)).needInventory).toBe(false);
  });

  it('does not mix with the parts of another one', () => {
    view.merge(inventory(4, [status('a', 1)], { part: 0, parts: 2 }));
    view.merge(inventory(6, [status('b', 5)], { part: 1, parts: 2 }));
    expect(view.merge(inventory(4, [], { part: 1, parts: 2 })).inventoried, 'an older one is late').toBe(
      false,
    );
    expect(view.merge(inventory(6, [], { part: 0, parts: 2 })).inventoried).toBe(true);
    expect([held(), view.version]).toEqual([['b ready'], 6]);
  });

  it('remembers the news that came while it was on its way', () => {
    view.merge(inventory(4, [status('a', 1), status('b', 2)], { part: 0, parts: 2 }));
    view.merge(heartbeat(4, 6, [status('a', 5, 'gone'), status('c', 6)]));
    view.merge(inventory(4, [status('d', 4)], { part: 1, parts: 2 }));
    expect(held()).toEqual(['b ready', 'c ready', 'd ready']);
  });
});

describe('a hello', () => {
  it('is evidence of scale until the inventory is here', () => {
    const counts = [{ uid: functionUid(7), generation: 2, starting: 1, ready: 3 }];
    view.merge({ kind: 'hello', heartbeat: heartbeat(9, 9), counts, artifacts: [] });
    expect([view.claimed(functionUid(7), 2), view.claimed(functionUid(7), 1)]).toEqual([4, 0]);
    expect(view.claimed(functionUid(8), 2)).toBe(0);
    expect(view.hasInventory).toBe(false);
  });
});

describe('artifacts', () => {
  const [a, b, c] = ['a', 'b', 'c'] as unknown as readonly [Digest, Digest, Digest];
  const artifacts = (): Digest[] => [...view.artifacts];

  it('are told whole by a hello, and by heartbeats as they come and go', () => {
    view.merge({ kind: 'hello', heartbeat: heartbeat(3, 3), counts: [], artifacts: [a, b] });
    view.merge(inventory(3, [], { artifacts: [a, b] }));
    view.merge(heartbeat(3, 4, [], { artifactsAdded: [c] }));
    view.merge(heartbeat(4, 5, [], { artifactsRemoved: [a] }));
    expect(artifacts()).toEqual([b, c]);
  });

  it('that changed in a heartbeat that was lost come with the inventory that is asked for', () => {
    view.merge(heartbeat(0, 0));
    expect(view.merge(heartbeat(1, 2, [], { artifactsAdded: [b] })).needInventory).toBe(true);
    expect(artifacts(), 'it cannot be told what else there is').toEqual([]);
    view.merge(inventory(2, [], { artifacts: [a, b] }));
    expect(artifacts()).toEqual([a, b]);
  });

  it('are not undone by what is late, nor by what comes twice', () => {
    const hello = { kind: 'hello', heartbeat: heartbeat(1, 1), counts: [], artifacts: [a] } as const;
    view.merge(hello);
    view.merge(inventory(1, [], { artifacts: [a] }));
    const added = heartbeat(1, 2, [], { artifactsAdded: [b] });
    view.merge(added);
    view.merge(heartbeat(2, 3, [], { artifactsRemoved: [b] }));
    for (const late of [added, hello, inventory(2, [], { artifacts: [a, b] })]) view.merge(late);
    expect(artifacts()).toEqual([a]);
  });

  it('of a worker that never ran anything and holds some are asked for where its hello was lost', () => {
    expect(view.merge(heartbeat(1, 1)).needInventory).toBe(true);
  });

  it('are of one life: the next says what is left of them', () => {
    view.merge({ kind: 'hello', heartbeat: heartbeat(9, 9), counts: [], artifacts: [a, b] });
    const incarnation = { ms: 2_000, nonce: 1 };
    view.merge(heartbeat(0, 0, [], { incarnation }));
    expect(artifacts()).toEqual([]);
    view.merge({
      kind: 'hello',
      heartbeat: heartbeat(1, 1, [], { incarnation }),
      counts: [],
      artifacts: [a],
    });
    expect(artifacts()).toEqual([a]);
  });
});

describe('a life', () => {
  it('that is newer took everything of the one before with it', () => {
    view.merge(heartbeat(0, 2, [status('a', 1), status('b', 2)]));
    const result = view.merge(heartbeat(0, 1, [status('c', 1)], { incarnation: { ms: 2_000, nonce: 9 } }));
    expect(result).toMatchObject({ restarted: true, needInventory: true });
    expect(changed(result)).toEqual(['a: ready → -', 'b: ready → -', 'c: - → ready']);
    expect(held()).toEqual(['c ready']);
  });

  it('that is older is not heard any more', () => {
    view.merge(heartbeat(0, 0, [], { incarnation: { ms: 2_000, nonce: 1 } }));
    for (const report of [heartbeat(0, 1, [status('a', 1)]), inventory(1, [status('a', 1)])]) {
      expect(view.merge(report)).toMatchObject({ refused: 'older', changes: [] });
    }
    expect(held()).toEqual([]);
  });

  it('claimed by two processes is refused to the second', () => {
    view.merge(heartbeat(0, 1, [status('a', 1)]));
    const twin = heartbeat(0, 2, [status('a', 2, 'gone')], { incarnation: { ms: 1_000, nonce: 2 } });
    expect(view.merge(twin)).toMatchObject({ refused: 'duplicate', changes: [] });
    expect(held()).toEqual(['a ready']);
  });

  it('that is the first one heard is no restart, nor is one that goes on', () => {
    expect(view.merge(heartbeat(0, 0)).restarted).toBe(false);
    expect(view.merge(heartbeat(0, 0)).restarted).toBe(false);
  });

  it('numbers its changes from the beginning: what went in the one before says nothing about it', () => {
    view.merge(heartbeat(0, 9, [status('a', 9, 'gone')]));
    view.merge(heartbeat(0, 1, [status('a', 1)], { incarnation: { ms: 2_000, nonce: 1 } }));
    expect(held()).toEqual(['a ready']);
  });
});
