/** Every codec with its schema and any value of it, so that one test speaks of all of them. */
import type { Arbitrary } from 'fast-check';
import * as broadcast from '../../../src/wire/broadcast-codec.ts';
import * as dataPlane from '../../../src/wire/data-plane-codec.ts';
import * as bus from '../../../src/wire/gen/baton/v1/bus.ts';
import * as wireMetadata from '../../../src/wire/gen/baton/v1/metadata.ts';
import * as wireRaft from '../../../src/wire/gen/baton/v1/raft.ts';
import * as metadata from '../../../src/wire/metadata-codec.ts';
import * as raft from '../../../src/wire/raft-codec.ts';
import * as worker from '../../../src/wire/worker-codec.ts';
import * as any from './arbitraries.ts';

interface Schema {
  decode(bytes: Uint8Array): unknown;
  encode(message: never): { finish(): Uint8Array };
}

export interface Codec {
  readonly name: string;
  readonly values: Arbitrary<unknown>;
  readonly schema: Schema;
  encode(value: unknown): Uint8Array;
  decode(bytes: Uint8Array): unknown;
}

function codec<T>(
  name: string,
  schema: Schema,
  values: Arbitrary<T>,
  encode: (value: T) => Uint8Array,
  decode: (bytes: Uint8Array) => unknown,
): Codec {
  return { name, schema, values, encode: (value) => encode(value as T), decode };
}

export const CODECS: readonly Codec[] = [
  codec('beacon', bus.Beacon, any.beacon, broadcast.encodeBeacon, broadcast.decodeBeacon),
  codec(
    'endpoint batch',
    bus.EndpointBatch,
    any.endpointBatch,
    broadcast.encodeEndpointBatch,
    broadcast.decodeEndpointBatch,
  ),
  codec(
    'endpoint snapshot',
    bus.EndpointSnapshot,
    any.endpointSnapshot,
    broadcast.encodeEndpointSnapshot,
    broadcast.decodeEndpointSnapshot,
  ),
  codec('spec batch', bus.SpecBatch, any.specBatch, broadcast.encodeSpecBatch, broadcast.decodeSpecBatch),
  codec(
    'spec snapshot',
    bus.SpecSnapshot,
    any.specSnapshot,
    broadcast.encodeSpecSnapshot,
    broadcast.decodeSpecSnapshot,
  ),
  codec(
    'data-plane message',
    bus.DataPlaneMessage,
    any.dataPlaneMessage,
    dataPlane.encodeDataPlaneMessage,
    dataPlane.decodeDataPlaneMessage,
  ),
  codec('demand ack', bus.DemandAck, any.demandAck, dataPlane.encodeDemandAck, dataPlane.decodeDemandAck),
  codec('lookup', bus.Lookup, any.lookup, dataPlane.encodeLookup, dataPlane.decodeLookup),
  codec(
    'lookup reply',
    bus.LookupReply,
    any.lookupReply,
    dataPlane.encodeLookupReply,
    dataPlane.decodeLookupReply,
  ),
  codec('pull', bus.Pull, any.pull, dataPlane.encodePull, dataPlane.decodePull),
  codec('pull reply', bus.PullReply, any.pullReply, dataPlane.encodePullReply, dataPlane.decodePullReply),
  codec('command', bus.CommandEnvelope, any.commandEnvelope, worker.encodeCommand, worker.decodeCommand),
  codec('notice', bus.WorkerNotice, any.notice, worker.encodeNotice, worker.decodeNotice),
  codec(
    'worker report',
    bus.WorkerReport,
    any.workerReport,
    worker.encodeWorkerReport,
    worker.decodeWorkerReport,
  ),
  codec('log query', bus.LogQuery, any.logQuery, worker.encodeLogQuery, worker.decodeLogQuery),
  codec('log reply', bus.LogReply, any.logReply, worker.encodeLogReply, worker.decodeLogReply),
  codec(
    'metadata command',
    wireMetadata.MetadataCommand,
    any.metadataCommand,
    metadata.encodeMetadataCommand,
    metadata.decodeMetadataCommand,
  ),
  codec(
    'metadata snapshot',
    wireMetadata.MetadataSnapshot,
    any.metadataSnapshot,
    metadata.encodeMetadataSnapshot,
    metadata.decodeMetadataSnapshot,
  ),
  codec(
    'raft message',
    wireRaft.RaftMessage,
    any.raftMessage,
    raft.encodeRaftMessage,
    raft.decodeRaftMessage,
  ),
];
