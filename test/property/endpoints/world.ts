/**
 * Leaders that follow one another, and data planes behind a bus that loses, repeats and reorders everything. What must hold
 * at every step, and that beacons and pulls alone bring every copy to the leader's table once the losses stop.
 */
import { deepStrictEqual, equal } from 'node:assert/strict';
import fc from 'fast-check';
import { EndpointReplica, type TableUpdate } from '../../../src/core/endpoints/endpoint-replica.ts';
import { EndpointWriter } from '../../../src/core/endpoints/endpoint-writer.ts';
import type { Beacon, EndpointBatch, EndpointSnapshot } from '../../../src/core/model/broadcast.ts';
import { compareFence, type Fence } from '../../../src/core/model/fence.ts';
import type { Endpoint, FunctionOwner } from '../../../src/core/model/sandbox.ts';
import { functionUid, sandboxId } from '../../../src/lib/ids.ts';
import {
  decodeBeacon,
  decodeEndpointBatch,
  decodeEndpointSnapshot,
  encodeBeacon,
  encodeEndpointBatch,
  encodeEndpointSnapshot,
} from '../../../src/wire/broadcast-codec.ts';
import { endpoint, owner } from '../../unit/dispatch/fixtures.ts';

const COPIES = 2;

export type Step =
  | { readonly do: 'put'; readonly sandbox: number; readonly address: number }
  | { readonly do: 'withdraw'; readonly sandbox: number }
  | { readonly do: 'owner'; readonly uid: number; readonly who: number }
  /** The leader's turn ends: what it changed is published. */
  | { readonly do: 'publish' }
  /** Any batch ever published, to one copy. */
  | { readonly do: 'deliver'; readonly copy: number; readonly pick: number }
  /** The batch that the copy waits for. */
  | { readonly do: 'next'; readonly copy: number }
  | { readonly do: 'beacon'; readonly copy: number }
  | { readonly do: 'take-snapshot' }
  | { readonly do: 'snapshot'; readonly copy: number; readonly pick: number }
  /** `recovered`: by a recovery of the cluster, under a higher epoch, whose terms begin again. */
  | { readonly do: 'elect'; readonly recovered: boolean }
  | { readonly do: 'close' }
  | { readonly do: 'restart'; readonly copy: number }
  | { readonly do: 'refuse'; readonly copy: number; readonly sandbox: number }
  | { readonly do: 'age'; readonly ms: number };

const sandbox = fc.nat(4);
const copy = fc.nat(COPIES - 1);
const pick = fc.nat(60);
const of = <T extends string>(kind: T): fc.Arbitrary<T> => fc.constant(kind);
export const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: of('put'), sandbox, address: fc.nat(1) }) },
  { weight: 4, arbitrary: fc.record({ do: of('withdraw'), sandbox }) },
  { weight: 2, arbitrary: fc.record({ do: of('owner'), uid: fc.nat(1), who: fc.nat(2) }) },
  { weight: 8, arbitrary: fc.record({ do: of('publish') }) },
  { weight: 4, arbitrary: fc.record({ do: of('deliver'), copy, pick }) },
  { weight: 10, arbitrary: fc.record({ do: of('next'), copy }) },
  { weight: 4, arbitrary: fc.record({ do: of('beacon'), copy }) },
  { weight: 3, arbitrary: fc.record({ do: of('take-snapshot') }) },
  { weight: 4, arbitrary: fc.record({ do: of('snapshot'), copy, pick }) },
  { weight: 1, arbitrary: fc.record({ do: of('elect'), recovered: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: of('close') }) },
  { weight: 1, arbitrary: fc.record({ do: of('restart'), copy }) },
  { weight: 2, arbitrary: fc.record({ do: of('refuse'), copy, sandbox }) },
  { weight: 1, arbitrary: fc.record({ do: of('age'), ms: fc.integer({ min: 1, max: 200_000 }) }) },
);

const nameOf = (n: number): Endpoint['sandbox'] => sandboxId(`s-${n}`);

/** Even sandboxes listen on TCP, odd ones on unix sockets. */
const endpointOf = (n: number, address: number): Endpoint =>
  endpoint(nameOf(n), {
    uid: n % 2,
    address: n % 2 === 0 ? `tcp:10.0.0.1:${4_000 + address}` : `unix:/run/${address}`,
  });

/** A copy, and what its dispatcher has been told. */
class Copy {
  table: EndpointReplica = new EndpointReplica();
  used: Map<string, Endpoint> = new Map();
  owners: Map<number, FunctionOwner> = new Map();
  readonly refused: Set<string> = new Set();

  follow(update: TableUpdate): TableUpdate {
    for (const change of update.changes) {
      if (change.kind === 'put') {
        this.used.set(change.endpoint.sandbox, change.endpoint);
        this.refused.delete(change.endpoint.sandbox);
      } else if (change.kind === 'withdraw') {
        this.used.delete(change.sandbox);
        this.refused.delete(change.sandbox);
      } else if (change.owner === undefined) this.owners.delete(change.uid);
      else this.owners.set(change.uid, change.owner);
    }
    return update;
  }
}

export class World {
  nowMs = 0;
  fence: Fence = { epoch: 1, term: 1 };
  writer: EndpointWriter = new EndpointWriter(this.fence);
  readonly copies: readonly Copy[] = Array.from({ length: COPIES }, () => new Copy());
  readonly published: EndpointBatch[] = [];
  readonly snapshots: EndpointSnapshot[] = [];
  closed = false;
  pulls = 0;
  /** Batches that reached a copy, however often and in whatever order. */
  delivered = 0;

  apply(s: Step): void {
    switch (s.do) {
      case 'put':
        return this.writer.put(endpointOf(s.sandbox, s.address));
      case 'withdraw':
        return this.writer.withdraw(nameOf(s.sandbox), functionUid(s.sandbox % 2));
      case 'owner':
        return this.writer.setOwner(functionUid(s.uid), s.who === 0 ? undefined : owner(`dp-${s.who}`));
      case 'publish':
        return this.publish();
      case 'deliver':
        return this.#batch(s.copy, this.published[s.pick % Math.max(1, this.published.length)]);
      case 'next': {
        const { table } = this.#copy(s.copy);
        const isNext = (batch: EndpointBatch): boolean =>
          compareFence(batch.fence, table.fence) === 0 && batch.seq === table.seq + 1;
        return this.#batch(s.copy, this.published.find(isNext));
      }
      case 'beacon':
        return void this.beacon(this.#copy(s.copy));
      case 'take-snapshot':
        this.publish();
        this.snapshots.push(throughBytes(this.writer.snapshot()));
        return;
      case 'snapshot': {
        const snapshot = this.snapshots[s.pick % Math.max(1, this.snapshots.length)];
        if (snapshot !== undefined) this.snapshot(this.#copy(s.copy), snapshot);
        return;
      }
      case 'elect':
        this.fence = s.recovered
          ? { epoch: this.fence.epoch + 1, term: 1 }
          : { ...this.fence, term: this.fence.term + 1 };
        this.writer = new EndpointWriter(this.fence);
        this.closed = false;
        return;
      case 'close':
        this.writer.complete();
        this.closed = true;
        return;
      case 'restart': {
        const one = this.#copy(s.copy);
        one.table = EndpointReplica.restore(one.table.save(), this.nowMs);
        one.used = new Map(one.table.endpoints().map((held) => [held.sandbox, held]));
        one.refused.clear();
        return;
      }
      case 'refuse': {
        const one = this.#copy(s.copy);
        if (!one.table.refuse(nameOf(s.sandbox))) return;
        one.used.delete(nameOf(s.sandbox));
        one.refused.add(nameOf(s.sandbox));
        return;
      }
      case 'age':
        this.nowMs += s.ms;
        for (const one of this.copies) one.follow(one.table.expire(this.nowMs));
    }
  }

  #copy(n: number): Copy {
    const one = this.copies[n];
    if (one === undefined) throw new Error(`no copy ${n}`);
    return one;
  }

  #batch(n: number, batch: EndpointBatch | undefined): void {
    if (batch === undefined) return;
    this.delivered++;
    const one = this.#copy(n);
    const before = one.table.fence;
    const update = one.follow(one.table.onBatch(batch, this.nowMs));
    equal(
      update.fenced,
      compareFence(batch.fence, before) < 0,
      'R4: a lower fence is refused, and nothing else',
    );
  }

  publish(): void {
    this.published.push(
      ...this.writer.takeBatches().map((batch) => decodeEndpointBatch(encodeEndpointBatch(batch))),
    );
  }

  beacon(one: Copy): TableUpdate {
    this.publish();
    const beacon: Beacon = {
      fence: this.fence,
      endpointSeq: this.writer.seq,
      digest: this.writer.digest(),
      specIndex: 0,
      complete: this.closed,
      http: '',
      grpc: '',
    };
    const held = one.table.endpoints();
    const update = one.follow(one.table.onBeacon(decodeBeacon(encodeBeacon(beacon)), this.nowMs));
    deepStrictEqual(one.table.endpoints(), held, 'T2: a beacon removes nothing');
    if (update.pull) this.pulls++;
    return update;
  }

  snapshot(one: Copy, snapshot: EndpointSnapshot): void {
    const held = new Set(one.table.endpoints().map((entry) => entry.sandbox));
    one.follow(one.table.onSnapshot(snapshot, this.nowMs));
    const said = new Set(snapshot.withdrawn.map((entry) => entry.sandbox));
    const lost = [...held].filter(
      (id) => !snapshot.complete && !said.has(id) && one.table.get(id) === undefined,
    );
    deepStrictEqual(lost, [], 'T3: a partial snapshot takes out only what it names');
  }

  check(): void {
    for (const one of this.copies) {
      const { table } = one;
      const used = new Map(
        table
          .endpoints()
          .flatMap((held) => (one.refused.has(held.sandbox) ? [] : [[held.sandbox, held] as const])),
      );
      deepStrictEqual(one.used, used, 'the dispatcher follows the table, T4');
      for (const uid of [0, 1]) deepStrictEqual(one.owners.get(uid), table.owner(functionUid(uid)));
      equal(table.unconfirmed >= 0, true);
      deepStrictEqual(this.acknowledgedButHeld(table), [], 'a withdrawal that is acknowledged is done');
    }
  }

  /** The leader drains a sandbox once a copy reports the seq of its withdrawal: then the copy must not have it. */
  acknowledgedButHeld(table: EndpointReplica): string[] {
    const last = new Map<string, 'put' | 'withdraw'>();
    for (const batch of this.published) {
      if (compareFence(batch.fence, table.fence) !== 0 || batch.seq > table.seq) continue;
      for (const change of batch.changes) {
        if (change.kind === 'put') last.set(change.endpoint.sandbox, 'put');
        else if (change.kind === 'withdraw') last.set(change.sandbox, 'withdraw');
      }
    }
    return [...last].flatMap(([id, what]) =>
      what === 'withdraw' && table.get(sandboxId(id)) !== undefined ? [id] : [],
    );
  }

  /** Losses stop: each copy hears a beacon, and pulls when it wants to. Two rounds are enough. */
  quiesce(): void {
    this.apply({ do: 'close' });
    this.publish();
    for (const one of this.copies) {
      for (let round = 0; round < 2; round++) {
        if (this.beacon(one).pull) this.snapshot(one, throughBytes(this.writer.snapshot()));
      }
      equal(this.beacon(one).pull, false, 'nothing more is asked for');
      const { endpoints, owners } = this.writer.snapshot();
      const byName = (list: readonly Endpoint[]): Endpoint[] =>
        list.toSorted((a, b) => (a.sandbox < b.sandbox ? -1 : 1));
      deepStrictEqual(byName(one.table.endpoints()), byName(endpoints), 'R1');
      for (const uid of [0, 1]) {
        deepStrictEqual(one.table.owner(functionUid(uid)), owners.find((entry) => entry.uid === uid)?.owner);
      }
      deepStrictEqual([one.table.unconfirmed, one.table.digest()], [0, this.writer.digest()]);
    }
    this.check();
  }
}

const throughBytes = (snapshot: EndpointSnapshot): EndpointSnapshot =>
  decodeEndpointSnapshot(encodeEndpointSnapshot(snapshot));
