/**
 * A replica that lost its directory lost its last incarnation with it. Where its clock was set back meanwhile, all that it says
 * looks like an earlier life; its peers tell it so, and it takes a later one.
 */
import { expect, it } from 'vitest';
import type { Raft } from '../../../src/core/raft/raft.ts';
import type { RaftMessage } from '../../../src/core/raft/types.ts';
import { core, MEMBERS } from './core.ts';

const [lost, peer] = MEMBERS;

/** Everything that it wants to say, its writes confirmed. */
function said(raft: Raft): RaftMessage[] {
  const messages: RaftMessage[] = [];
  for (let ready = raft.takeReady(); ready !== undefined; ready = raft.takeReady()) {
    messages.push(...ready.messages, ...ready.afterPersist);
    if (ready.persist !== undefined) raft.persisted(ready.persist.ticket, 0);
  }
  return messages;
}

it('is raised above every life that a peer remembers, and stored before anything is said under it', () => {
  const remembering = core({ id: peer, term: 2 });
  const before = core({ id: lost, incarnation: { ms: 900, nonce: 1 }, term: 2, voter: false });
  before.tick(0);
  for (const message of said(before).filter(({ to }) => to === peer)) remembering.step(message, 0);
  said(remembering);

  // The same id again, on an empty directory, with a clock that was set back.
  const after = core({ id: lost, incarnation: { ms: 500, nonce: 2 }, term: 2, voter: false });
  after.tick(0);
  for (const message of said(after).filter(({ to }) => to === peer)) remembering.step(message, 0);
  expect(remembering.status().refusedMessages).toBe(1);
  const answers = said(remembering).filter(({ to }) => to === lost);
  expect(answers.map(({ body }) => body)).toEqual([
    { kind: 'rejoin-reply', nonce: 2, confirmedCommit: 0, knownIncarnationMs: 900 },
  ]);
  for (const answer of answers) after.step(answer, 1);
  const ready = after.takeReady();
  expect(ready?.persist?.identity?.incarnationMs).toBe(901);
  expect(ready?.messages).toEqual([]);
  if (ready?.persist !== undefined) after.persisted(ready.persist.ticket, 1);
  after.tick(2);
  const anew = said(after).filter(({ to }) => to === peer);
  expect(anew.map(({ incarnation }) => incarnation.ms)).toEqual([901]);
  for (const message of anew) remembering.step(message, 2);
  expect(remembering.status().refusedMessages).toBe(1);
});
