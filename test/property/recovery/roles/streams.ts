/** Of what kind a message on the bus is, in the words that histories use. */
import { kindOf } from '../../../../src/wire/subjects.ts';
import type { Stream } from '../network.ts';

/** Answers to requests go where nobody else hears them. */
const INBOX = '_INBOX_';

export function streamOf(from: string, to: string, subject: string): Stream {
  if (subject.startsWith(INBOX)) return answerOf(from, to);
  const [, , root] = subject.split('.');
  switch (root) {
    case 'raft':
      return 'raft messages';
    case 'beacon':
      return 'beacons';
    case 'endpoints':
      return 'endpoint batches';
    case 'specs':
      return 'spec batches';
    case 'worker':
      return 'commands';
    case 'lead':
      return leadStreamOf(kindOf(subject));
    default:
      throw new Error(`a message on ${subject} is of no kind that is known`);
  }
}

function answerOf(from: string, to: string): Stream {
  if (to.startsWith('d')) return 'pulls';
  return from.startsWith('w') ? 'commands' : 'raft messages';
}

function leadStreamOf(kind: string): Stream {
  if (kind === 'heartbeat' || kind === 'change') return 'heartbeats';
  return kind === 'report' || kind === 'demand' ? 'reports' : 'pulls';
}
