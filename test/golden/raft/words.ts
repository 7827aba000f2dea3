/** How messages, entries and replicas are written in a dialogue; the notation is explained in README.md. */
import { crc32c } from '../../../src/lib/crc32c.ts';
import { unreachable } from '../../../src/lib/assert.ts';
import type {
  LogEntry,
  Persist,
  RaftBody,
  RaftMessage,
  RaftStatus,
  Snapshot,
} from '../../../src/core/raft/types.ts';
import type { Stored } from './disk.ts';

const decoder = new TextDecoder();

function entryWord({ index, term, data }: LogEntry): string {
  return data.length === 0 ? `${index}@${term}` : `${index}@${term}=${decoder.decode(data)}`;
}

export function entriesWords(entries: readonly LogEntry[]): string {
  return `[${entries.map(entryWord).join(' ')}]`;
}

export function snapshotWords({ index, term, data }: Snapshot): string {
  const sum = crc32c(data).toString(16).padStart(8, '0');
  return `${index}@${term} (${data.length} bytes, crc ${sum})`;
}

function bodyWords(body: RaftBody): string {
  switch (body.kind) {
    case 'vote-request': {
      const flags = `${body.hint ? ' hint' : ''}${body.force ? ' force' : ''}`;
      return `${body.pre ? 'PreVote' : 'Vote'} last=${body.lastIndex}@${body.lastTerm}${flags}`;
    }
    case 'vote-reply': {
      const answer = body.granted ? 'granted' : 'refused';
      return `${body.pre ? 'PreVoteReply' : 'VoteReply'} ${answer} for=T${body.asked}`;
    }
    case 'append': {
      const { prevIndex, prevTerm, entries, commit, round, successor } = body;
      const next = successor === '' ? '' : ` successor=${successor}`;
      return `Append prev=${prevIndex}@${prevTerm} ${entriesWords(entries)} commit=${commit} round=${round}${next}`;
    }
    case 'append-reply':
      return body.ok
        ? `AppendReply ok=${body.index} round=${body.round}`
        : `AppendReply refused=${body.refused} try=${body.index}@${body.hintTerm} round=${body.round}`;
    case 'snapshot': {
      const { index, lastTerm, offset, data, total, round } = body;
      return `Snapshot ${index}@${lastTerm} bytes=${offset}..${offset + data.length}/${total} round=${round}`;
    }
    case 'snapshot-reply':
      return `SnapshotReply ${body.index} ${body.installed ? 'installed' : `wants=${body.offset}`} round=${body.round}`;
    case 'timeout-now':
      return 'TimeoutNow';
    case 'rejoin-request':
      return 'Rejoin';
    case 'rejoin-reply':
      if (body.knownIncarnationMs > 0) return `RejoinReply earlier life than ${body.knownIncarnationMs}`;
      return body.confirmedCommit === 0 ? 'RejoinReply' : `RejoinReply confirmed=${body.confirmedCommit}`;
    default:
      return unreachable(body, 'message');
  }
}

/** What is as usual is not said: epoch 1, a sender with a vote. */
export function messageWords({ term, epoch, voter, body }: RaftMessage): string {
  return `T${term}${epoch === 1 ? '' : ` E${epoch}`} ${bodyWords(body)}${voter ? '' : ' (no vote)'}`;
}

export function persistWords({ hardState, entries, snapshot, identity }: Persist): string {
  const words: string[] = [];
  if (hardState !== undefined) {
    words.push(`T${hardState.term} vote=${hardState.vote || '-'} commit=${hardState.commit}`);
  }
  if (snapshot !== undefined) words.push(`snapshot ${snapshot.index}@${snapshot.term}`);
  if (entries.length > 0) words.push(entriesWords(entries));
  if (identity !== undefined) {
    const { voter, votesAboveTerm, epoch } = identity;
    words.push(`epoch=${epoch} ${voter ? `votes above T${votesAboveTerm}` : 'no vote'}`);
  }
  return words.join(' ');
}

export function roleWords({ role, term, leader, voter }: RaftStatus): string {
  const follows = role === 'follower' && leader !== '' ? ` of ${leader}` : '';
  return `${role}${follows} T${term}${voter ? '' : ' (no vote)'}`;
}

/** Terms of the entries over the snapshot's mark; in parentheses what is written and not yet synced. */
function logWords(written: Stored, synced: Stored): string {
  const durable = new Set(synced.entries.map(({ index, term }) => `${index}@${term}`));
  const terms = written.entries.map(({ index, term }) =>
    durable.has(`${index}@${term}`) ? `${term}` : `(${term})`,
  );
  const { snapshot } = written;
  const mark = snapshot === undefined ? '' : `${snapshot.index}@${snapshot.term}:`;
  return `[${[mark, ...terms].filter((word) => word !== '').join(' ')}]`;
}

export function statusWords(status: RaftStatus, written: Stored, synced: Stored): string {
  const vote = synced.hardState.term === status.term ? synced.hardState.vote : '';
  return `${roleWords(status)} vote=${vote || '-'} log=${logWords(written, synced)} commit=${status.commit}`;
}
