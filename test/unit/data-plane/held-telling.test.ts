/** In which order a new leader hears what a data plane holds, and how often. */
import { describe, expect, it } from 'vitest';
import { EndpointReplica } from '../../../src/core/endpoints/endpoint-replica.ts';
import type { EndpointChange } from '../../../src/core/model/broadcast.ts';
import type { FunctionLoad } from '../../../src/core/model/data-plane-report.ts';
import type { Endpoint } from '../../../src/core/model/sandbox.ts';
import { HeldTelling } from '../../../src/data-plane/held-telling.ts';
import { functionUid, sandboxId, workerId } from '../../../src/lib/ids.ts';
import type { HeldPart } from '../../../src/wire/data-plane-codec.ts';

const GREAT = 5;

/** Sandboxes of function `uid`, each on a worker of its own. */
function held(uid: number, count: number): Endpoint[] {
  return Array.from({ length: count }, (_, i) => ({
    sandbox: sandboxId(`f-${uid}-1-${i}`),
    uid: functionUid(uid),
    generation: 1,
    specIndex: 1,
    worker: workerId(`w${uid}-${i}`),
    address: 'unix:/f',
    owner: undefined,
  }));
}

const load = (uid: number): FunctionLoad => ({ uid: functionUid(uid), inFlight: 1, queued: 0 });

function telling(endpoints: readonly Endpoint[]) {
  const table = EndpointReplica.restore({ fence: { epoch: 1, term: 1 }, endpoints, owners: [] }, 0);
  const held = new HeldTelling(() => table, GREAT);
  held.begin(0);
  /** What is told before a report about these loads, to its end. */
  const tell = (nowMs: number, loads: readonly FunctionLoad[] = []): HeldPart | undefined => {
    const parts = held.next(loads, nowMs);
    if (parts === undefined) return undefined;
    held.done(nowMs);
    return {
      endpoints: parts.flatMap((part) => part.endpoints),
      workers: parts.flatMap((part) => part.workers),
    };
  };
  let seq = 0;
  const hear = (changes: EndpointChange[]): void => {
    const fence = { epoch: 1, term: 2 };
    if (seq === 0) table.onBatch({ fence, seq: ++seq, changes: [] }, 0);
    table.onBatch({ fence, seq: ++seq, changes }, 0);
  };
  const confirm = (list: readonly Endpoint[]): void =>
    hear(list.map((endpoint) => ({ kind: 'put', endpoint })));
  const withdraw = (list: readonly Endpoint[]): void =>
    hear(list.map(({ sandbox, uid }) => ({ kind: 'withdraw', sandbox, uid })));
  return { held, tell, confirm, withdraw };
}

describe('a small table', () => {
  const endpoints = held(1, GREAT);

  it('is told whole, and a second later again', () => {
    const { tell } = telling(endpoints);
    expect(tell(0)).toEqual({ endpoints, workers: [] });
    expect(tell(500)).toBeUndefined();
    expect(tell(1_000)).toEqual({ endpoints, workers: [] });
    expect(tell(5_000)).toBeUndefined();
  });

  it('is told again at once when it was cut off', () => {
    const { held: cut, tell } = telling(endpoints);
    expect(cut.next([], 0)?.flatMap((part) => part.endpoints)).toEqual(endpoints);
    expect(tell(250)?.endpoints).toEqual(endpoints);
    expect(tell(500)).toBeUndefined();
  });
});

describe('a great table', () => {
  const [busy, idle] = [held(1, 3), held(2, 3)];
  const workers = [...busy, ...idle].map(({ worker }) => worker);

  it('is at first what functions hold that are asked for, and the names of all workers', () => {
    const { tell } = telling([...busy, ...idle]);
    expect(tell(0, [load(1)])).toEqual({ endpoints: busy, workers });
  });

  it('is told of the rest two seconds later, of what nobody has confirmed by then, and a second later again', () => {
    const { tell, confirm } = telling([...busy, ...idle]);
    tell(0, [load(1)]);
    confirm([...busy, ...idle.slice(1)]);
    expect(tell(1_999)).toBeUndefined();
    expect(tell(2_000)).toEqual({ endpoints: idle.slice(0, 1), workers: [] });
    expect(tell(2_999)).toBeUndefined();
    expect(tell(3_000)).toEqual({ endpoints: idle.slice(0, 1), workers: [] });
    expect(tell(9_000)).toBeUndefined();
  });

  it('waits on with the rest while it melts, and tells it when it melts no longer', () => {
    const many = held(3, 40);
    const { tell, confirm } = telling(many);
    tell(0);
    confirm(many.slice(20));
    expect(tell(2_000)).toBeUndefined();
    confirm(many.slice(10, 20));
    expect(tell(2_499)).toBeUndefined();
    expect(tell(2_500)).toBeUndefined();
    confirm(many.slice(8, 10));
    expect(tell(3_000)).toEqual({ endpoints: many.slice(0, 8), workers: [] });
    expect(tell(4_000)).toEqual({ endpoints: many.slice(0, 8), workers: [] });
    expect(tell(9_000)).toBeUndefined();
  });

  it('does not wait with the first word when that was cut off, however fast the table melts', () => {
    const many = held(3, 40);
    const { held: cut, tell, confirm } = telling(many);
    cut.next([load(3)], 0);
    confirm(many.slice(20));
    expect(tell(100, [load(3)])?.endpoints).toEqual(many.slice(0, 20));
  });

  it('waits no longer when what is left is little', () => {
    const many = held(3, 40);
    const { tell, confirm } = telling(many);
    tell(0);
    confirm(many.slice(GREAT));
    expect(tell(2_000)).toEqual({ endpoints: many.slice(0, GREAT), workers: [] });
  });

  it('is told of a function as soon as it is asked for, once', () => {
    const { tell } = telling([...busy, ...idle]);
    tell(0, [load(1)]);
    expect(tell(300, [load(1), load(2), load(3)])).toEqual({ endpoints: idle, workers: [] });
    expect(tell(305, [load(1), load(2), load(3)])).toBeUndefined();
  });

  it('does not tell of what the leader has taken away meanwhile', () => {
    const { tell, withdraw } = telling([...busy, ...idle]);
    tell(0, [load(1)]);
    withdraw(idle.slice(1));
    expect(tell(300, [load(2)])?.endpoints).toEqual(idle.slice(0, 1));
  });

  it('begins anew with the next leader', () => {
    const { held: next, tell } = telling([...busy, ...idle]);
    tell(0, [load(1)]);
    next.begin(100);
    expect(tell(100, [load(2)])).toEqual({ endpoints: idle, workers });
  });
});
