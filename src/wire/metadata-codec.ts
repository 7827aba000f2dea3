/** What is replicated: commands as the log stores them, and the state as a snapshot stores it. */
import { functionName, functionUid } from '../lib/ids.ts';
import { assert, unreachable } from '../lib/assert.ts';
import { limits } from '../lib/limits.ts';
import type { MetadataCommand, MetadataOutcome, RequestId } from '../core/model/metadata.ts';
import type { MetadataSnapshot } from '../core/metadata/metadata-state.ts';
import { recordFrom, recordTo, specFrom, specTo } from './common-codec.ts';
import * as wire from './gen/baton/v1/metadata.ts';
import { known, required, unpack } from './wire-error.ts';

/** Announced to the other members; a command type above the lowest announced version is not proposed. */
export const COMMAND_VERSION = 1;

/** The no-op is the empty entry, and Raft's own. */
export function encodeMetadataCommand(command: Exclude<MetadataCommand, { kind: 'no-op' }>): Uint8Array {
  const message: wire.MetadataCommand =
    command.kind === 'put-function'
      ? { command: { $case: 'putFunction', value: { ...command, spec: specTo(command.spec) } } }
      : { command: { $case: 'deleteFunction', value: command } };
  const bytes = wire.MetadataCommand.encode(message).finish();
  assert(bytes.length <= limits.commandBytes, 'a command is bounded where its spec is validated');
  return bytes;
}

export function decodeMetadataCommand(bytes: Uint8Array): MetadataCommand {
  if (bytes.length === 0) return { kind: 'no-op' };
  return unpack('metadata command', wire.MetadataCommand, bytes, (message): MetadataCommand => {
    const command = known(message.command, 'metadata command');
    const requestId = requestIdFrom(command.value.requestId);
    const { ifGeneration } = command.value;
    switch (command.$case) {
      case 'putFunction':
        return { kind: 'put-function', requestId, ifGeneration, spec: specFrom(command.value.spec) };
      case 'deleteFunction':
        return { kind: 'delete-function', requestId, ifGeneration, name: functionName(command.value.name) };
      default:
        return unreachable(command, 'metadata command');
    }
  });
}

function requestIdFrom(message: wire.RequestId | undefined): RequestId {
  const { base, nonce } = required(message, 'requestId');
  return { base, nonce };
}

type Outcome = NonNullable<wire.MetadataOutcome['outcome']>;

function outcomeTo(outcome: MetadataOutcome): Outcome {
  switch (outcome.kind) {
    case 'put':
      return { $case: 'put', value: outcome };
    case 'deleted':
      return { $case: 'deleted', value: outcome };
    case 'generation-mismatch':
      return { $case: 'generationMismatch', value: outcome };
    case 'not-found':
      return { $case: 'notFound', value: {} };
    case 'too-many-functions':
      return { $case: 'tooManyFunctions', value: {} };
    case 'request-expired':
      return { $case: 'requestExpired', value: {} };
    case 'request-id-reused':
      return { $case: 'requestIdReused', value: {} };
    default:
      return unreachable(outcome, 'outcome');
  }
}

function outcomeFrom(outcome: Outcome): MetadataOutcome {
  switch (outcome.$case) {
    case 'put': {
      const { uid, generation, specIndex } = outcome.value;
      return { kind: 'put', uid: functionUid(uid), generation, specIndex };
    }
    case 'deleted':
      return { kind: 'deleted', uid: functionUid(outcome.value.uid), specIndex: outcome.value.specIndex };
    case 'generationMismatch':
      return { kind: 'generation-mismatch', generation: outcome.value.generation };
    case 'notFound':
      return { kind: 'not-found' };
    case 'tooManyFunctions':
      return { kind: 'too-many-functions' };
    case 'requestExpired':
      return { kind: 'request-expired' };
    case 'requestIdReused':
      return { kind: 'request-id-reused' };
    default:
      return unreachable(outcome, 'outcome');
  }
}

/** Entries in one part of a snapshot: well under a millisecond of work. */
const PART_ENTRIES = 50;

/** The same bytes in parts, for who must not be held up: protobuf messages that follow one another are one message. */
export function* encodeMetadataSnapshotInParts(snapshot: MetadataSnapshot): Generator<Uint8Array, void> {
  const { index, specIndex, functions, requests, evictedIndex } = snapshot;
  const none = { index: 0, specIndex: 0, functions: [], requests: [], evictedIndex: 0 };
  const encode = (part: Partial<wire.MetadataSnapshot>): Uint8Array =>
    wire.MetadataSnapshot.encode({ ...none, ...part }).finish();
  yield encode({ index, specIndex });
  for (let at = 0; at < functions.length; at += PART_ENTRIES)
    yield encode({ functions: functions.slice(at, at + PART_ENTRIES).map(recordTo) });
  for (let at = 0; at < requests.length; at += PART_ENTRIES)
    yield encode({
      requests: requests.slice(at, at + PART_ENTRIES).map((request) => ({
        ...request,
        outcome: { outcome: outcomeTo(request.outcome) },
      })),
    });
  yield encode({ evictedIndex });
}

export function encodeMetadataSnapshot(snapshot: MetadataSnapshot): Uint8Array {
  return Buffer.concat([...encodeMetadataSnapshotInParts(snapshot)]);
}

export function decodeMetadataSnapshot(bytes: Uint8Array): MetadataSnapshot {
  return unpack('metadata snapshot', wire.MetadataSnapshot, bytes, (message) => ({
    index: message.index,
    specIndex: message.specIndex,
    functions: message.functions.map(recordFrom),
    requests: message.requests.map((request) => ({
      id: requestIdFrom(request.id),
      index: request.index,
      fingerprint: request.fingerprint,
      outcome: outcomeFrom(known(request.outcome?.outcome, 'outcome')),
    })),
    evictedIndex: message.evictedIndex,
  }));
}
