/** Raft-lite messages. */
import { replicaId, type ReplicaId } from '../lib/ids.ts';
import { unreachable } from '../lib/assert.ts';
import type { LogEntry, RaftBody, RaftMessage } from '../core/raft/types.ts';
import { incarnationFrom } from './common-codec.ts';
import * as wire from './gen/baton/v1/raft.ts';
import { fieldsOf, known, pack, unpack, WireError } from './wire-error.ts';

type Body = NonNullable<wire.RaftMessage['body']>;

function bodyTo(body: RaftBody): Body {
  switch (body.kind) {
    case 'vote-request':
      return { $case: 'voteRequest', value: body };
    case 'vote-reply':
      return { $case: 'voteReply', value: body };
    case 'append':
      return { $case: 'append', value: body };
    case 'append-reply':
      return { $case: 'appendReply', value: body };
    case 'snapshot':
      return { $case: 'snapshot', value: body };
    case 'snapshot-reply':
      return { $case: 'snapshotReply', value: body };
    case 'timeout-now':
      return { $case: 'timeoutNow', value: {} };
    case 'rejoin-request':
      return { $case: 'rejoinRequest', value: body };
    case 'rejoin-reply':
      return { $case: 'rejoinReply', value: body };
    default:
      return unreachable(body, 'raft message');
  }
}

const optionalReplica = (id: string): ReplicaId | '' => (id === '' ? '' : replicaId(id));

/** One after the other from `prevIndex` on: what is not is no append of any leader's log. */
function entriesFrom(entries: readonly wire.LogEntry[], prevIndex: number): LogEntry[] {
  return entries.map(({ index, term, data }, i) => {
    if (index !== prevIndex + 1 + i) throw new WireError('malformed', 'entries of an append');
    return { index, term, data };
  });
}

function bodyFrom(body: Body): RaftBody {
  switch (body.$case) {
    case 'voteRequest':
      return { kind: 'vote-request', ...fieldsOf(body.value) };
    case 'voteReply':
      return { kind: 'vote-reply', ...fieldsOf(body.value) };
    // Field by field, these two and the envelope: nearly all of Raft's traffic, and spreading them is a good part of its cost.
    case 'append': {
      const { prevIndex, prevTerm, entries, commit, round, successor } = body.value;
      return {
        kind: 'append',
        prevIndex,
        prevTerm,
        entries: entriesFrom(entries, prevIndex),
        commit,
        round,
        successor: optionalReplica(successor),
      };
    }
    case 'appendReply': {
      const { ok, index, hintTerm, refused, round } = body.value;
      return { kind: 'append-reply', ok, index, hintTerm, refused, round };
    }
    case 'snapshot':
      return { kind: 'snapshot', ...fieldsOf(body.value) };
    case 'snapshotReply':
      return { kind: 'snapshot-reply', ...fieldsOf(body.value) };
    case 'timeoutNow':
      return { kind: 'timeout-now' };
    case 'rejoinRequest':
      return { kind: 'rejoin-request', nonce: body.value.nonce };
    case 'rejoinReply':
      return { kind: 'rejoin-reply', ...fieldsOf(body.value) };
    default:
      return unreachable(body, 'raft message');
  }
}

/** @param natsServer that it is sent through */
export function encodeRaftMessage(message: RaftMessage, natsServer = ''): Uint8Array {
  const { cluster, epoch, memberHash, from, to, term, incarnation, commandVersion, voter, body } = message;
  return pack(wire.RaftMessage, {
    cluster,
    epoch,
    memberHash,
    from,
    to,
    term,
    incarnation,
    commandVersion,
    voter,
    natsServer,
    body: bodyTo(body),
  });
}

export function decodeRaftMessage(bytes: Uint8Array): RaftMessage {
  return decodeRaftEnvelope(bytes).message;
}

/** With the server that it was sent through. */
export function decodeRaftEnvelope(bytes: Uint8Array): {
  readonly message: RaftMessage;
  readonly natsServer: string;
} {
  return unpack('raft message', wire.RaftMessage, bytes, (message) => ({
    message: {
      cluster: message.cluster,
      epoch: message.epoch,
      memberHash: message.memberHash,
      from: replicaId(message.from),
      to: replicaId(message.to),
      term: message.term,
      incarnation: incarnationFrom(message.incarnation),
      commandVersion: message.commandVersion,
      voter: message.voter,
      body: bodyFrom(known(message.body, 'raft message')),
    },
    natsServer: message.natsServer,
  }));
}
