/** The endpoint stream: one writer, and copies that apply only the next batch of the highest fence. */
import { beforeEach, describe, expect, it } from 'vitest';
import { RunningDigest } from '../../../src/core/endpoints/digest.ts';
import { EndpointReplica, type TableUpdate } from '../../../src/core/endpoints/endpoint-replica.ts';
import { EndpointWriter } from '../../../src/core/endpoints/endpoint-writer.ts';
import type { Beacon, EndpointBatch, EndpointChange } from '../../../src/core/model/broadcast.ts';
import { functionUid, sandboxId } from '../../../src/lib/ids.ts';
import { endpoint, owner } from '../dispatch/fixtures.ts';

const UID = functionUid(7);
const fence = (term: number, epoch = 1): { epoch: number; term: number } => ({ epoch, term });

let writer: EndpointWriter;
let table: EndpointReplica;
beforeEach(() => {
  writer = new EndpointWriter(fence(1));
  table = new EndpointReplica();
});

function beacon(of: EndpointWriter, complete = false): Beacon {
  return {
    fence: of.snapshot().fence,
    endpointSeq: of.seq,
    digest: of.digest(),
    specIndex: 0,
    complete,
    http: '',
    grpc: '',
  };
}

function batchOf(of: EndpointWriter): EndpointBatch {
  const [batch, ...more] = of.takeBatches();
  if (batch === undefined || more.length > 0) throw new Error('one batch was expected');
  return batch;
}

const deliver = (batch: EndpointBatch, nowMs = 0): TableUpdate => table.onBatch(batch, nowMs);
const held = (): string[] => table.endpoints().map(({ sandbox }) => sandbox);

/** What the dispatcher is told: "+s-1", "-s-1", "owner dp-1". */
const told = ({ changes }: TableUpdate): string[] =>
  changes.map((change) => {
    if (change.kind === 'put') return `+${change.endpoint.sandbox}`;
    return change.kind === 'withdraw' ? `-${change.sandbox}` : `owner ${change.owner?.dataPlane ?? 'none'}`;
  });

describe('the writer', () => {
  it('coalesces the changes of a turn into one batch, in order', () => {
    writer.setOwner(UID, owner('dp-1'));
    writer.put(endpoint('s-1'));
    writer.withdraw(sandboxId('s-2'), UID);
    const batch = batchOf(writer);
    expect([batch.fence, batch.seq]).toEqual([fence(1), 1]);
    expect(batch.changes.map(({ kind }) => kind)).toEqual(['owner', 'put', 'withdraw']);
    expect(writer.takeBatches(), 'a turn without changes publishes nothing').toEqual([]);
    expect(writer.seq).toBe(1);
  });

  it('cuts a large turn into batches, and says beforehand which seq the latest change will have', () => {
    for (let i = 0; i < 1_100; i++) writer.put(endpoint(`s-${i}`));
    expect(writer.pendingSeq).toBe(3);
    const batches = writer.takeBatches();
    expect(batches.map(({ seq, changes }) => [seq, changes.length])).toEqual([
      [1, 512],
      [2, 512],
      [3, 76],
    ]);
    expect([writer.seq, writer.pendingSeq, writer.size]).toEqual([3, 3, 1_100]);
  });

  it('says each owner once, and a release only of what it had named', () => {
    writer.setOwner(UID, undefined);
    expect(writer.takeBatches()).toEqual([]);
    writer.setOwner(UID, owner('dp-1'));
    writer.setOwner(UID, undefined);
    expect(batchOf(writer).changes).toEqual([
      { kind: 'owner', uid: UID, owner: owner('dp-1') },
      { kind: 'owner', uid: UID, owner: undefined },
    ]);
    expect(writer.owner(UID)).toBeUndefined();
  });

  it('has no digest and no snapshot of the middle of a turn', () => {
    writer.put(endpoint('s-1'));
    expect(() => writer.digest()).toThrow('as of the last batch');
    expect(() => writer.snapshot()).toThrow('as of the last batch');
  });

  it('names what it withdrew in partial snapshots, until they are complete or it is back', () => {
    writer.withdraw(sandboxId('s-1'), UID);
    writer.withdraw(sandboxId('s-2'), UID);
    writer.put(endpoint('s-2'));
    writer.takeBatches();
    expect(writer.snapshot()).toMatchObject({
      complete: false,
      withdrawn: [{ sandbox: 's-1', uid: UID }],
    });
    writer.complete();
    writer.withdraw(sandboxId('s-3'), UID);
    writer.takeBatches();
    expect(writer.snapshot()).toMatchObject({ complete: true, withdrawn: [], endpoints: [endpoint('s-2')] });
  });
});

describe('the digest', () => {
  it('is that of the entries, not of how they came to be there', () => {
    writer.put(endpoint('s-1', { address: 'unix:/old' }));
    writer.put(endpoint('s-2'));
    writer.put(endpoint('s-1'));
    writer.withdraw(sandboxId('s-2'), UID);
    writer.takeBatches();
    const other = new RunningDigest();
    other.addEndpoint(endpoint('s-1'));
    expect(writer.digest()).toEqual(other.value());
    other.removeEndpoint(endpoint('s-1'));
    expect(other.value()).toEqual({ high: 0, low: 0 });
  });

  it('sees every field of an endpoint and of an owner', () => {
    const plain = endpoint('s-1');
    const of = (change: (digest: RunningDigest) => void): string => {
      const digest = new RunningDigest();
      change(digest);
      return JSON.stringify(digest.value());
    };
    const incarnation = { ms: 1_000, nonce: 1 };
    const different = [
      of((digest) => digest.addEndpoint(plain)),
      of((digest) => digest.addEndpoint({ ...plain, sandbox: sandboxId('s-2') })),
      of((digest) => digest.addEndpoint({ ...plain, uid: functionUid(8) })),
      of((digest) => digest.addEndpoint({ ...plain, generation: 2 })),
      of((digest) => digest.addEndpoint({ ...plain, specIndex: 9 })),
      of((digest) => digest.addEndpoint({ ...plain, worker: endpoint('w-2').sandbox as never })),
      of((digest) => digest.addEndpoint({ ...plain, address: 'tcp:h:1' })),
      of((digest) => digest.addOwner(UID, owner('dp-1', incarnation))),
      of((digest) => digest.addOwner(functionUid(8), owner('dp-1', incarnation))),
      of((digest) => digest.addOwner(UID, owner('dp-2', incarnation))),
      of((digest) => digest.addOwner(UID, owner('dp-1', { ...incarnation, ms: 1_001 }))),
      of((digest) => digest.addOwner(UID, owner('dp-1', { ...incarnation, nonce: 2 }))),
      of((digest) => digest.addOwner(UID, { ...owner('dp-1', incarnation), peer: 'other:1' })),
    ];
    expect(new Set(different).size).toBe(different.length);
  });
});

describe('a copy', () => {
  it('applies the next batch, and tells the dispatcher what changed', () => {
    writer.setOwner(UID, owner('dp-1'));
    writer.put(endpoint('s-1'));
    expect(told(deliver(batchOf(writer)))).toEqual(['owner dp-1', '+s-1']);
    writer.put(endpoint('s-1'));
    writer.withdraw(sandboxId('s-1'), UID);
    writer.withdraw(sandboxId('s-9'), UID);
    expect(told(deliver(batchOf(writer))), 'neither the same again nor what it never had').toEqual(['-s-1']);
    expect([table.seq, table.digest()]).toEqual([2, writer.digest()]);
  });

  it('takes a batch once, and asks for a snapshot when one is missing (T1)', () => {
    const batches: EndpointBatch[] = [];
    for (const name of ['s-1', 's-2', 's-3']) {
      writer.put(endpoint(name));
      batches.push(batchOf(writer));
    }
    const [first, second, third] = batches as [EndpointBatch, EndpointBatch, EndpointBatch];
    deliver(first);
    expect(deliver(first)).toMatchObject({ changes: [], pull: false });
    expect(deliver(third)).toMatchObject({ changes: [], pull: true });
    expect(held()).toEqual(['s-1']);
    expect(deliver(second)).toMatchObject({ pull: false });
    expect(deliver(third)).toMatchObject({ pull: false });
    expect(held()).toEqual(['s-1', 's-2', 's-3']);
  });

  it('refuses whatever comes under a lower fence, and says so (R4)', () => {
    const second = new EndpointWriter(fence(2));
    second.put(endpoint('s-2'));
    deliver(batchOf(second));
    writer.put(endpoint('s-1'));
    writer.withdraw(sandboxId('s-2'), UID);
    const refused = { changes: [], pull: false, newFence: false, fenced: true };
    expect(deliver(batchOf(writer))).toEqual(refused);
    expect(table.onBeacon(beacon(writer, true), 0)).toEqual(refused);
    expect(table.onSnapshot(writer.snapshot(), 0)).toEqual(refused);
    expect(held()).toEqual(['s-2']);
    const higherEpoch = new EndpointWriter(fence(1, 2));
    expect(table.onBeacon(beacon(higherEpoch), 0)).toMatchObject({ newFence: true, fenced: false });
  });

  it('serves on under a new leader, unconfirmed, until that one says more (T2)', () => {
    writer.put(endpoint('s-1'));
    writer.put(endpoint('s-2'));
    writer.setOwner(UID, owner('dp-1'));
    deliver(batchOf(writer));
    const second = new EndpointWriter(fence(2));
    expect(table.onBeacon(beacon(second), 10)).toMatchObject({ newFence: true, changes: [], pull: false });
    expect([held(), table.unconfirmed, table.seq]).toEqual([['s-1', 's-2'], 2, 0]);
    expect(table.owner(UID)?.dataPlane, 'owners stay in force').toBe('dp-1');
    second.put(endpoint('s-1'));
    expect(told(deliver(batchOf(second), 20)), 'confirmed, and nothing new to the dispatcher').toEqual([]);
    expect([table.unconfirmed, table.digest()]).toEqual([1, second.digest()]);
    expect(table.onBeacon(beacon(second), 30).pull, 'not swept yet').toBe(false);
  });

  it('asks for the sweep once the new leader has closed its books', () => {
    writer.put(endpoint('s-1'));
    deliver(batchOf(writer));
    const second = new EndpointWriter(fence(2));
    second.complete();
    expect(table.onBeacon(beacon(second, true), 0)).toMatchObject({ pull: true });
    expect(told(table.onSnapshot(second.snapshot(), 0))).toEqual(['-s-1']);
    expect(table.onBeacon(beacon(second, true), 0)).toMatchObject({ pull: false });
  });

  it('asks for the sweep of an owner too, whom the new leader does not name', () => {
    writer.setOwner(UID, owner('dp-1'));
    deliver(batchOf(writer));
    const second = new EndpointWriter(fence(2));
    second.complete();
    expect(table.onBeacon(beacon(second, true), 0)).toMatchObject({ pull: true });
    expect(told(table.onSnapshot(second.snapshot(), 0))).toEqual(['owner none']);
    expect(table.onBeacon(beacon(second, true), 0)).toMatchObject({ pull: false });
  });

  it('hears from a beacon that the last message was lost, or that it holds something else', () => {
    expect(table.onBeacon(beacon(writer), 0)).toMatchObject({ newFence: true, pull: false });
    writer.put(endpoint('s-1'));
    const lost = batchOf(writer);
    expect(table.onBeacon(beacon(writer), 0).pull).toBe(true);
    deliver({ ...lost, changes: [{ kind: 'put', endpoint: endpoint('s-1', { address: 'unix:/other' }) }] });
    expect(table.onBeacon(beacon(writer), 0).pull, 'the same seq and another digest').toBe(true);
    table.onSnapshot(writer.snapshot(), 0);
    expect(table.onBeacon(beacon(writer), 0).pull).toBe(false);
  });
});

describe('a snapshot', () => {
  const changes = (...all: EndpointChange[]): EndpointBatch => ({ fence: fence(1), seq: 1, changes: all });

  it('that is partial is merged: it adds and confirms, and takes out only what it says was withdrawn', () => {
    deliver(changes({ kind: 'put', endpoint: endpoint('s-1') }, { kind: 'put', endpoint: endpoint('s-2') }));
    const second = new EndpointWriter(fence(2));
    second.put(endpoint('s-3'));
    second.withdraw(sandboxId('s-2'), UID);
    second.takeBatches();
    expect(told(table.onSnapshot(second.snapshot(), 0))).toEqual(['-s-2', '+s-3']);
    expect([held(), table.unconfirmed]).toEqual([['s-1', 's-3'], 1]);
    expect(table.onBeacon(beacon(second), 0).pull).toBe(false);
  });

  it('that is complete replaces the table: what it lacks is taken out, owners too', () => {
    deliver(
      changes(
        { kind: 'put', endpoint: endpoint('s-1') },
        { kind: 'owner', uid: UID, owner: owner('dp-1') },
        { kind: 'owner', uid: functionUid(8), owner: owner('dp-2') },
      ),
    );
    const second = new EndpointWriter(fence(2));
    second.setOwner(functionUid(8), owner('dp-2'));
    second.put(endpoint('s-2', { uid: 8 }));
    second.takeBatches();
    second.complete();
    expect(told(table.onSnapshot(second.snapshot(), 0))).toEqual([
      '-s-1',
      'owner none',
      'owner dp-2',
      '+s-2',
    ]);
    expect([held(), table.owner(UID), table.unconfirmed]).toEqual([['s-2'], undefined, 0]);
  });

  it('that is older than what was applied meanwhile changes nothing', () => {
    writer.put(endpoint('s-1'));
    deliver(batchOf(writer));
    const old = writer.snapshot();
    writer.withdraw(sandboxId('s-1'), UID);
    deliver(batchOf(writer));
    expect(table.onSnapshot(old, 0)).toMatchObject({ changes: [], pull: false });
    expect(held()).toEqual([]);
  });
});

describe('an endpoint that refused a connection', () => {
  it('stays in the table and is told to the dispatcher again only when it is put again (T4)', () => {
    writer.put(endpoint('s-1'));
    deliver(batchOf(writer));
    expect(table.refuse(sandboxId('s-1'))).toBe(true);
    expect(table.refuse(sandboxId('s-9'))).toBe(false);
    expect(held()).toEqual(['s-1']);
    writer.put(endpoint('s-1'));
    expect(told(deliver(batchOf(writer)))).toEqual(['+s-1']);
    expect(table.digest()).toEqual(writer.digest());
  });
});

describe('age', () => {
  const FIVE_MINUTES_MS = 300_000;

  it('takes out what stays unconfirmed over TCP, whose ports are used again; unix sockets are not (T3)', () => {
    writer.put(endpoint('tcp-1', { address: 'tcp:10.0.0.1:4001' }));
    writer.put(endpoint('tcp-2', { address: 'tcp:10.0.0.1:4002' }));
    writer.put(endpoint('unix-1'));
    deliver(batchOf(writer), 1_000);
    expect(table.expire(9e9).changes, 'what is confirmed does not age').toEqual([]);
    const second = new EndpointWriter(fence(2));
    table.onBeacon(beacon(second), 5_000);
    second.put(endpoint('tcp-2', { address: 'tcp:10.0.0.1:4002' }));
    deliver(batchOf(second), 6_000);
    expect(table.expire(5_000 + FIVE_MINUTES_MS).changes).toEqual([]);
    expect(told(table.expire(5_001 + FIVE_MINUTES_MS))).toEqual(['-tcp-1']);
    expect(held()).toEqual(['tcp-2', 'unix-1']);
  });

  it('does not begin again with every election', () => {
    writer.put(endpoint('tcp-1', { address: 'tcp:10.0.0.1:4001' }));
    deliver(batchOf(writer), 0);
    for (const term of [2, 3, 4]) table.onBeacon(beacon(new EndpointWriter(fence(term))), term * 100_000);
    expect(told(table.expire(200_001 + FIVE_MINUTES_MS))).toEqual(['-tcp-1']);
  });
});

describe('a restart from the table file', () => {
  it('serves everything, confirms nothing, and asks for a snapshot even of the leader it knew', () => {
    writer.setOwner(UID, owner('dp-1'));
    writer.put(endpoint('s-1'));
    writer.put(endpoint('s-2'));
    const first = batchOf(writer);
    deliver(first);
    table = EndpointReplica.restore(table.save(), 1_000);
    expect(deliver(first), 'nor is the first batch the next one').toMatchObject({ changes: [], pull: true });
    expect([held(), table.unconfirmed, table.seq, table.fence]).toEqual([['s-1', 's-2'], 2, 0, fence(1)]);
    expect(table.owner(UID)?.dataPlane).toBe('dp-1');
    writer.withdraw(sandboxId('s-1'), UID);
    expect(deliver(batchOf(writer))).toMatchObject({ changes: [], pull: true });
    expect(table.onBeacon(beacon(writer), 0)).toMatchObject({ newFence: false, pull: true });
    writer.complete();
    expect(told(table.onSnapshot(writer.snapshot(), 0))).toEqual(['-s-1', 'owner dp-1']);
    expect(table.onBeacon(beacon(writer, true), 0).pull).toBe(false);
  });

  it('refuses an older leader than the one it served for', () => {
    deliver({ fence: fence(5), seq: 1, changes: [] });
    table = EndpointReplica.restore(table.save(), 0);
    expect(table.onBeacon(beacon(new EndpointWriter(fence(4))), 0).fenced).toBe(true);
  });
});
