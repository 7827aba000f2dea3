/** Between data planes and the leader: reports, demand, lookups, pulls. */
import { functionName, functionUid, sandboxId, workerId, type WorkerId } from '../lib/ids.ts';
import { unreachable } from '../lib/assert.ts';
import { limits } from '../lib/limits.ts';
import type {
  DataPlaneHeld,
  DataPlaneMessage,
  DemandAck,
  FunctionLoad,
  Lookup,
  LookupReply,
  Pull,
  PullReply,
  PullStream,
} from '../core/model/data-plane-report.ts';
import type { Endpoint } from '../core/model/sandbox.ts';
import { endpointFrom, fenceFrom, incarnationFrom, recordFrom, recordTo } from './common-codec.ts';
import * as wire from './gen/baton/v1/bus.ts';
import { enumeration, known, pack, unpack, WireError } from './wire-error.ts';

const pullStreams = enumeration<PullStream>('stream', { endpoints: 1, specs: 2 });

function loadsFrom(loads: readonly wire.FunctionLoad[]): FunctionLoad[] {
  return loads.map(({ uid, inFlight, queued }) => ({ uid: functionUid(uid), inFlight, queued }));
}

export function encodeDataPlaneMessage(message: DataPlaneMessage): Uint8Array {
  switch (message.kind) {
    case 'report':
      return pack(wire.DataPlaneMessage, { message: { $case: 'report', value: message } });
    case 'held':
      return pack(wire.DataPlaneMessage, { message: { $case: 'held', value: message } });
    case 'demand':
      return pack(wire.DataPlaneMessage, { message: { $case: 'demand', value: message } });
    default:
      return unreachable(message, 'data-plane message');
  }
}

export function decodeDataPlaneMessage(bytes: Uint8Array): DataPlaneMessage {
  return unpack('data-plane message', wire.DataPlaneMessage, bytes, (outer): DataPlaneMessage => {
    const message = known(outer.message, 'data-plane message');
    switch (message.$case) {
      case 'report':
        return reportFrom(message.value);
      case 'held': {
        const { incarnation, part, parts, endpoints, workers } = message.value;
        if (part >= parts) throw new WireError('malformed', 'part');
        return {
          kind: 'held',
          incarnation: incarnationFrom(incarnation),
          part,
          parts,
          endpoints: endpoints.map(endpointFrom),
          workers: workers.map((id) => workerId(id)),
        };
      }
      case 'demand': {
        const { incarnation, seq, loads } = message.value;
        return { kind: 'demand', incarnation: incarnationFrom(incarnation), seq, loads: loadsFrom(loads) };
      }
      default:
        return unreachable(message, 'data-plane message');
    }
  });
}

function reportFrom(report: wire.DataPlaneReport): Extract<DataPlaneMessage, { kind: 'report' }> {
  return {
    kind: 'report',
    incarnation: incarnationFrom(report.incarnation),
    seq: report.seq,
    natsServer: report.natsServer,
    caller: report.caller,
    peer: report.peer,
    fence: fenceFrom(report.fence),
    endpointSeq: report.endpointSeq,
    specIndex: report.specIndex,
    loads: loadsFrom(report.loads),
    withdrawing: report.withdrawing.map(({ sandbox, inFlight }) => ({
      sandbox: sandboxId(sandbox),
      inFlight,
    })),
    refused: report.refused.map((id) => sandboxId(id)),
    condemned: report.condemned.map((id) => sandboxId(id)),
    owned: report.owned.map(functionUid),
  };
}

/** Of endpoints and of names with all that is around them, at most. */
const ENDPOINT_BYTES = 1_536;
const NAME_BYTES = 80;

/** Parts of endpoints, each small enough for one message. At least one. */
export function splitEndpoints(endpoints: readonly Endpoint[]): Endpoint[][] {
  return endpoints.length === 0 ? [[]] : chunks(endpoints, ENDPOINT_BYTES);
}

export type HeldPart = Pick<DataPlaneHeld, 'endpoints' | 'workers'>;

/** Parts of what is held, each small enough for one message: the names, then the endpoints. At least one. */
export function splitHeld(endpoints: readonly Endpoint[], workers: readonly WorkerId[]): HeldPart[] {
  const parts = [
    ...chunks(workers, NAME_BYTES).map((names) => ({ endpoints: [], workers: names })),
    ...chunks(endpoints, ENDPOINT_BYTES).map((some) => ({ endpoints: some, workers: [] })),
  ];
  return parts.length === 0 ? [{ endpoints: [], workers: [] }] : parts;
}

function chunks<T>(list: readonly T[], itemBytes: number): T[][] {
  const size = Math.floor(limits.chunkBytes / itemBytes);
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) =>
    list.slice(i * size, (i + 1) * size),
  );
}

export const encodeDemandAck = (ack: DemandAck): Uint8Array => pack(wire.DemandAck, ack);

export function decodeDemandAck(bytes: Uint8Array): DemandAck {
  return unpack('demand ack', wire.DemandAck, bytes, ({ fence, seq }) => ({ fence: fenceFrom(fence), seq }));
}

export const encodeLookup = (lookup: Lookup): Uint8Array => pack(wire.Lookup, lookup);

export function decodeLookup(bytes: Uint8Array): Lookup {
  return unpack('lookup', wire.Lookup, bytes, ({ name }) => ({ name: functionName(name) }));
}

export function encodeLookupReply(reply: LookupReply): Uint8Array {
  const { fence, specIndex, record } = reply;
  return pack(wire.LookupReply, {
    fence,
    specIndex,
    record: record === undefined ? undefined : recordTo(record),
  });
}

export function decodeLookupReply(bytes: Uint8Array): LookupReply {
  return unpack('lookup reply', wire.LookupReply, bytes, ({ fence, specIndex, record }) => ({
    fence: fenceFrom(fence),
    specIndex,
    record: record === undefined ? undefined : recordFrom(record),
  }));
}

export function encodePull(pull: Pull): Uint8Array {
  return pack(wire.Pull, { ...pull, stream: pullStreams.to(pull.stream) as wire.PullStream });
}

export function decodePull(bytes: Uint8Array): Pull {
  return unpack('pull', wire.Pull, bytes, ({ stream, bound, chunk }) => ({
    stream: pullStreams.from(stream),
    bound,
    chunk,
  }));
}

export const encodePullReply = (reply: PullReply): Uint8Array => pack(wire.PullReply, reply);

export function decodePullReply(bytes: Uint8Array): PullReply {
  return unpack('pull reply', wire.PullReply, bytes, (reply) => ({
    fence: fenceFrom(reply.fence),
    bound: reply.bound,
    chunk: reply.chunk,
    chunks: reply.chunks,
    bytes: reply.bytes,
    heard: reply.heard === undefined ? undefined : incarnationFrom(reply.heard),
  }));
}
