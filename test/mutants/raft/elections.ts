/** Bugs in how a leader is chosen. */
import type { Mutant } from '../mutant.ts';

const ELECTION = 'src/core/raft/election.ts';
const ROLES = 'src/core/raft/roles.ts';
const STATE = 'src/core/raft/state.ts';
const LOG = 'src/core/raft/log.ts';
const RAFT = 'src/core/raft/raft.ts';

export const elections: readonly Mutant[] = [
  {
    id: 'prevote-stuck-across-terms',
    group: 'raft',
    title: 'a pre-candidate does not learn the higher term that a refusal carries, and asks for ever',
    source: 'FAULTS 5, etcd#8243',
    edits: [
      {
        file: RAFT,
        find: "body.kind !== 'vote-request' && body.kind !== 'rejoin-request') {",
        replace:
          "body.kind !== 'vote-request' && body.kind !== 'vote-reply' && body.kind !== 'rejoin-request') {",
      },
    ],
    checks: ['golden', 'sim'],
  },
  {
    id: 'late-vote-counted',
    group: 'raft',
    title: 'a delayed answer counts as a vote of the present campaign',
    source: 'FAULTS 7, akka-raft#50',
    edits: [
      {
        file: ELECTION,
        find: 'if (!fits || reply.asked !== expected) return;',
        replace: 'if (!fits || reply.asked > expected) return;',
      },
    ],
    checks: ['golden', 'sim'],
  },
  {
    id: 'repeated-request-refused',
    group: 'raft',
    title: 'a voter refuses the candidate that it voted for when it asks again',
    source: 'FAULTS 8, nebula#2419',
    edits: [
      {
        file: ELECTION,
        find: "s.vote === from || (s.vote === '' && s.leader === '')",
        replace: "s.vote === '' && s.leader === ''",
      },
    ],
    checks: ['golden', 'sim'],
  },
  {
    id: 'votes-without-ids',
    group: 'raft',
    title: 'votes are counted without the id of the voter: one that arrives twice counts twice',
    source: 'FAULTS 10, nats-io/graft',
    edits: [
      {
        file: ELECTION,
        find: 's.votes.set(from, reply.granted);',
        replace: 's.votes.set(`${from}/${s.votes.size}` as ReplicaId, reply.granted);',
      },
    ],
    checks: ['golden', 'sim'],
  },
  {
    id: 'heartbeat-clears-vote',
    group: 'raft',
    title: 'a heartbeat of the same term clears the vote given in it',
    source: 'FAULTS 18, nats-io/graft',
    edits: [
      {
        file: ROLES,
        find: '  if (isNewTerm) s.setTerm(term);\n',
        replace: "  if (isNewTerm) s.setTerm(term);\n  else s.vote = '';\n",
      },
    ],
    checks: ['sim', 'golden'],
  },
  {
    id: 'no-prevote',
    group: 'raft',
    title:
      'a campaign begins with the vote itself: who cannot hear the leader raises the term again and again',
    source: 'FAULTS 19, Cloudflare 2020-11-02',
    edits: [
      {
        file: ELECTION,
        find: '  if (s.votes.size >= s.quorum) return startVote(s);\n  ask(s, true);',
        replace: '  startVote(s);',
      },
    ],
    checks: ['golden', 'sim'],
  },
  {
    id: 'no-stickiness',
    group: 'raft',
    title: 'a follower that hears its leader gives its vote to somebody else',
    source: 'FAULTS 19, Cloudflare 2020-11-02',
    edits: [
      {
        file: ELECTION,
        find: "  return s.leader !== '' && !s.leaderGone && s.nowMs - s.leaderContactMs < s.config.electionTimeoutMs;",
        replace: '  return false;',
      },
      {
        file: ELECTION,
        find: "s.vote === from || (s.vote === '' && s.leader === '')",
        replace: "s.vote === from || s.vote === ''",
      },
    ],
    checks: ['golden', 'sim'],
  },
  {
    id: 'up-to-date-strictly',
    group: 'raft',
    title: 'a log has to be longer than the voter’s: `>` for `>=`',
    source: 'own',
    edits: [
      {
        file: LOG,
        find: '(lastTerm === this.lastTerm && lastIndex >= this.lastIndex)',
        replace: '(lastTerm === this.lastTerm && lastIndex > this.lastIndex)',
      },
    ],
    checks: ['golden', 'sim'],
  },
  {
    id: 'longer-log-wins',
    group: 'raft',
    title: 'the longer log is the more complete one, whatever its last term',
    source: 'own',
    edits: [
      {
        file: LOG,
        find: 'return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex);',
        replace:
          'return lastIndex > this.lastIndex || (lastIndex === this.lastIndex && lastTerm >= this.lastTerm);',
      },
    ],
    checks: ['golden', 'sim'],
  },
  {
    id: 'log-not-compared',
    group: 'raft',
    title: 'a vote is given without a look at the candidate’s log',
    source: 'own',
    edits: [
      {
        file: ELECTION,
        find: 'const complete = s.log.isUpToDate(request.lastIndex, request.lastTerm);',
        replace: 'const complete = true;',
      },
    ],
    checks: ['sim', 'golden'],
  },
  {
    id: 'two-votes-a-term',
    group: 'raft',
    title: 'a voter that has voted votes again in the same term',
    source: 'own',
    edits: [
      {
        file: ELECTION,
        find: "s.vote === from || (s.vote === '' && s.leader === '')",
        replace: "s.leader === ''",
      },
      {
        file: STATE,
        find: "    assert(this.vote === '' || this.vote === vote, 'S2: one vote a term');\n",
        replace: '',
      },
    ],
    checks: ['sim', 'golden'],
  },
  {
    id: 'quorum-of-half',
    group: 'raft',
    title: 'half of the members, rounded down, is a quorum',
    source: 'own',
    edits: [
      {
        file: STATE,
        find: 'Math.floor(members.length / 2) + 1',
        replace: 'Math.max(1, Math.floor(members.length / 2))',
      },
    ],
    checks: ['sim', 'golden'],
  },
  {
    id: 'timer-not-reset-by-leader',
    group: 'raft',
    title: 'word from the leader does not reset the election timer',
    source: 'own',
    edits: [
      {
        file: 'src/core/raft/replication.ts',
        find: '  s.successor = successor;\n  resetElectionTimer(s);\n',
        replace: '  s.successor = successor;\n',
      },
    ],
    checks: ['golden', 'sim'],
  },
  {
    id: 'timer-not-reset-by-vote',
    group: 'raft',
    title: 'a voter that gave its vote campaigns against its candidate at once',
    source: 'own',
    edits: [
      {
        file: ELECTION,
        find: '      s.setVote(from);\n      resetElectionTimer(s);\n',
        replace: '      s.setVote(from);\n      s.electionDeadlineMs = s.nowMs;\n',
      },
    ],
    checks: ['golden', 'sim'],
  },
  {
    id: 'hint-obeyed',
    group: 'raft',
    title: 'a voter takes the candidate’s word that the leader is gone, without a probe of its own',
    source: 'own',
    edits: [
      {
        file: ELECTION,
        find: '  if (isLeaderFresh(s) && !request.force) {',
        replace: "  if (isLeaderFresh(s) && !request.force && !(request.hint && s.role === 'follower')) {",
      },
      {
        file: ELECTION,
        find: "s.vote === from || (s.vote === '' && s.leader === '')",
        replace: "s.vote === from || s.vote === ''",
      },
    ],
    checks: ['golden', 'sim'],
  },
  {
    id: 'transfer-without-force',
    group: 'raft',
    title: 'the vote requests of a transfer do not say so, and every voter keeps to its leader',
    source: 'own',
    edits: [{ file: ELECTION, find: '  s.campaignForce = true;', replace: '  s.campaignForce = false;' }],
    checks: ['golden', 'sim'],
  },
  {
    id: 'transfer-to-laggard',
    group: 'raft',
    title: 'a transfer does not wait until the target holds the whole log',
    source: 'own',
    edits: [
      {
        file: 'src/core/raft/feeding.ts',
        find: '  if (s.peers.get(transfer.to)?.match !== s.log.lastIndex) return;\n',
        replace: '',
      },
    ],
    checks: ['golden', 'sim'],
  },
];
