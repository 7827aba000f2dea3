/** Bugs in how a replica that lost its disk gets its vote back. */
import type { Mutant } from '../mutant.ts';

const REJOIN = 'src/core/raft/rejoin.ts';

export const rejoin: readonly Mutant[] = [
  {
    id: 'votes-at-once',
    group: 'raft',
    title: 'a replica that was started on an empty disk votes at once',
    source: 'own',
    edits: [
      {
        file: 'src/control-plane/raft-driver.ts',
        find: '        incarnationMs: 0,\n        voter: false,\n',
        replace: '        incarnationMs: 0,\n        voter: true,\n',
      },
    ],
    checks: ['sim'],
  },
  {
    id: 'non-voter-asked',
    group: 'raft',
    title: 'a replica without a vote gives one when it is asked',
    source: 'own',
    edits: [
      {
        file: 'src/core/raft/election.ts',
        find: 'const mayVote = s.voter && asked > s.votesAboveTerm;',
        replace: 'const mayVote = asked > s.votesAboveTerm;',
      },
    ],
    checks: ['golden', 'sim'],
  },
  {
    id: 'votes-in-terms-it-forgot',
    group: 'raft',
    title: 'a replica that got its vote back votes again in a term in which it may have voted',
    source: 'own',
    edits: [
      {
        file: REJOIN,
        find: '  s.setVoter(true, Math.max(rejoin.highestTerm, s.term));',
        replace: '  s.setVoter(true, 0);',
      },
    ],
    checks: ['golden', 'sim'],
  },
  {
    id: 'rejoins-before-all-answered',
    group: 'raft',
    title: 'one member’s answer is enough to know the terms of all',
    source: 'own',
    edits: [
      {
        file: REJOIN,
        find: 'rejoin.answered.size < s.peers.size ||',
        replace: 'rejoin.answered.size < 1 ||',
      },
    ],
    checks: ['golden', 'sim'],
  },
  {
    id: 'rejoins-before-caught-up',
    group: 'raft',
    title: 'a replica votes again before it holds the commit index that was confirmed to it',
    source: 'own',
    edits: [
      {
        file: REJOIN,
        find: '  if (s.log.commit < rejoin.confirmedCommit || s.log.durable < rejoin.confirmedCommit) return;\n',
        replace: '',
      },
      { file: REJOIN, find: '  if (rejoin.artifactsUpTo < rejoin.confirmedCommit) return;\n', replace: '' },
    ],
    checks: ['sim', 'golden'],
  },
  {
    id: 'rejoins-on-hearsay',
    group: 'raft',
    title: 'the commit index of a leader that has not asked a majority is good enough to vote again',
    source: 'own',
    edits: [
      {
        file: REJOIN,
        find: '  replyTo(s, from, nonce);\n  requestRead',
        replace:
          "  s.send(from, { kind: 'rejoin-reply', nonce, confirmedCommit: s.log.commit, knownIncarnationMs: 0 });\n  requestRead",
      },
    ],
    checks: ['golden', 'sim'],
  },
];
