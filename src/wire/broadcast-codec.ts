/** What the leader publishes: beacons, endpoint batches, spec batches, and the snapshots behind pulls. */
import { functionUid, sandboxId } from '../lib/ids.ts';
import { unreachable } from '../lib/assert.ts';
import { limits } from '../lib/limits.ts';
import type {
  Beacon,
  EndpointBatch,
  EndpointChange,
  EndpointSnapshot,
  SpecBatch,
  SpecSnapshot,
} from '../core/model/broadcast.ts';
import type { FunctionRecord } from '../core/model/function.ts';
import { endpointFrom, fenceFrom, ownerFrom, recordFrom, recordTo } from './common-codec.ts';
import * as wire from './gen/baton/v1/bus.ts';
import { known, pack, required, unpack } from './wire-error.ts';

export const encodeBeacon = (beacon: Beacon): Uint8Array => pack(wire.Beacon, beacon);

export function decodeBeacon(bytes: Uint8Array): Beacon {
  return unpack('beacon', wire.Beacon, bytes, (beacon) => {
    const { high, low } = required(beacon.digest, 'digest');
    return {
      fence: fenceFrom(beacon.fence),
      endpointSeq: beacon.endpointSeq,
      digest: { high, low },
      specIndex: beacon.specIndex,
      complete: beacon.complete,
      http: beacon.http,
      grpc: beacon.grpc,
    };
  });
}

function changeTo(change: EndpointChange): wire.EndpointChange {
  switch (change.kind) {
    case 'put':
      return { change: { $case: 'put', value: change.endpoint } };
    case 'withdraw':
      return { change: { $case: 'withdraw', value: change } };
    case 'owner':
      return { change: { $case: 'owner', value: change } };
    default:
      return unreachable(change, 'endpoint change');
  }
}

function changeFrom(message: wire.EndpointChange): EndpointChange {
  const change = known(message.change, 'endpoint change');
  switch (change.$case) {
    case 'put':
      return { kind: 'put', endpoint: endpointFrom(change.value) };
    case 'withdraw':
      return {
        kind: 'withdraw',
        sandbox: sandboxId(change.value.sandbox),
        uid: functionUid(change.value.uid),
      };
    case 'owner': {
      const { uid, owner } = change.value;
      return {
        kind: 'owner',
        uid: functionUid(uid),
        owner: owner === undefined ? undefined : ownerFrom(owner),
      };
    }
    default:
      return unreachable(change, 'endpoint change');
  }
}

export function encodeEndpointBatch(batch: EndpointBatch): Uint8Array {
  return pack(wire.EndpointBatch, {
    fence: batch.fence,
    seq: batch.seq,
    changes: batch.changes.map(changeTo),
  });
}

export function decodeEndpointBatch(bytes: Uint8Array): EndpointBatch {
  return unpack('endpoint batch', wire.EndpointBatch, bytes, ({ fence, seq, changes }) => ({
    fence: fenceFrom(fence),
    seq,
    changes: changes.map(changeFrom),
  }));
}

/** Not a message: its pieces travel in pull replies. */
export function encodeEndpointSnapshot(snapshot: EndpointSnapshot): Uint8Array {
  return wire.EndpointSnapshot.encode(snapshot).finish();
}

export function decodeEndpointSnapshot(bytes: Uint8Array): EndpointSnapshot {
  return unpack('endpoint snapshot', wire.EndpointSnapshot, bytes, (message) => ({
    fence: fenceFrom(message.fence),
    seq: message.seq,
    complete: message.complete,
    endpoints: message.endpoints.map(endpointFrom),
    owners: message.owners.map(({ uid, owner }) => ({
      uid: functionUid(uid),
      owner: ownerFrom(required(owner, 'owner')),
    })),
    withdrawn: message.withdrawn.map(({ sandbox, uid }) => ({
      sandbox: sandboxId(sandbox),
      uid: functionUid(uid),
    })),
  }));
}

export function encodeSpecBatch(batch: SpecBatch): Uint8Array {
  return pack(wire.SpecBatch, { ...batch, put: batch.put.map(recordTo) });
}

export function decodeSpecBatch(bytes: Uint8Array): SpecBatch {
  return unpack('spec batch', wire.SpecBatch, bytes, (message) => ({
    fence: fenceFrom(message.fence),
    prevSpecIndex: message.prevSpecIndex,
    specIndex: message.specIndex,
    put: message.put.map(recordFrom),
    deleted: message.deleted.map(functionUid),
  }));
}

export function encodeSpecSnapshot(snapshot: SpecSnapshot): Uint8Array {
  return wire.SpecSnapshot.encode({ ...snapshot, functions: snapshot.functions.map(recordTo) }).finish();
}

export function decodeSpecSnapshot(bytes: Uint8Array): SpecSnapshot {
  return unpack('spec snapshot', wire.SpecSnapshot, bytes, (message) => ({
    fence: fenceFrom(message.fence),
    specIndex: message.specIndex,
    functions: message.functions.map(recordFrom),
  }));
}

/** Whether these specs fit one batch; otherwise receivers pull a snapshot. */
export function fitsSpecBatch(records: readonly FunctionRecord[]): boolean {
  let bytes = 0;
  for (const { spec } of records) {
    bytes += 512 + spec.entry.length;
    for (const part of spec.command) bytes += 4 * part.length;
    for (const { name, value } of spec.env) bytes += 4 * (name.length + value.length) + 8;
  }
  return bytes <= limits.chunkBytes;
}
