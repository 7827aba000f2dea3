/** Bugs in what a leader may say, and for how long it may lead. */
import type { Mutant } from '../mutant.ts';

const QUORUM = 'src/core/raft/quorum.ts';
const RAFT = 'src/core/raft/raft.ts';
const READS = 'src/core/raft/reads.ts';

export const reads: readonly Mutant[] = [
  {
    id: 'read-before-own-commit',
    group: 'raft',
    title: 'ReadIndex is answered before an entry of the own term is committed',
    source: 'FAULTS 4, etcd#7331',
    edits: [
      { file: READS, find: '  if (s.log.commit < s.termStartIndex) return;\n', replace: '' },
      {
        file: READS,
        find: 'const index = Math.max(read.index, s.termStartIndex);',
        replace: 'const { index } = read;',
      },
    ],
    checks: ['golden', 'sim'],
  },
  {
    id: 'acts-before-own-commit',
    group: 'raft',
    title: 'a leader acts before its no-op is committed, and reads what it happens to have applied',
    source: 'own',
    edits: [
      { file: READS, find: '  if (s.log.commit < s.termStartIndex) return;\n', replace: '' },
      {
        file: READS,
        find: 'const index = Math.max(read.index, s.termStartIndex);',
        replace: 'const { index } = read;',
      },
      { file: RAFT, find: '      s.log.commit >= s.termStartIndex &&\n', replace: '' },
    ],
    checks: ['golden', 'sim'],
  },
  {
    id: 'read-without-round',
    group: 'raft',
    title: 'a leader answers reads without asking a majority whether it still leads',
    source: 'own',
    edits: [
      {
        file: READS,
        find: 'if (read === undefined || read.round > s.confirmedRound) return;',
        replace: 'if (read === undefined) return;',
      },
      {
        file: READS,
        find: '  s.reads.push({ index: s.log.commit, round: s.round + 1, waiter });\n',
        replace:
          '  s.reads.push({ index: s.log.commit, round: s.round + 1, waiter });\n  serveConfirmedReads(s);\n',
      },
    ],
    checks: ['sim', 'golden'],
  },
  {
    id: 'read-joins-earlier-round',
    group: 'raft',
    title: 'a read is confirmed by a round that began before it came',
    source: 'own',
    edits: [
      {
        file: READS,
        find: 's.reads.push({ index: s.log.commit, round: s.round + 1, waiter });',
        replace: 's.reads.push({ index: s.log.commit, round: s.round, waiter });',
      },
    ],
    checks: ['golden', 'sim'],
  },
  {
    id: 'round-confirmed-by-one',
    group: 'raft',
    title: 'one echo confirms a round: the leader’s own',
    source: 'own',
    edits: [
      {
        file: QUORUM,
        find: 'const confirmed = acks.sort((a, b) => b - a)[s.quorum - 1] ?? 0;',
        replace: 'const confirmed = acks.sort((a, b) => b - a)[0] ?? 0;',
      },
    ],
    checks: ['sim', 'golden'],
  },
  {
    id: 'leader-never-steps-down',
    group: 'raft',
    title: 'a leader that hears no majority goes on leading',
    source: 'FAULTS 12 and 19, nats-io/graft, Dirigent, Cloudflare 2020-11-02',
    edits: [
      {
        file: QUORUM,
        find: "  if (s.nowMs - s.quorumContactMs > s.config.electionTimeoutMs) return becomeFollower(s, s.term, '');\n",
        replace: '',
      },
      {
        file: RAFT,
        find: '(s.peers.size === 0 || nowMs - s.quorumContactMs < s.config.electionTimeoutMs)',
        replace: 'nowMs >= 0',
      },
    ],
    checks: ['golden', 'sim'],
  },
];
