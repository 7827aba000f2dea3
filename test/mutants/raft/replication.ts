/** Bugs in what a leader believes to be replicated, and in what a follower writes and says. */
import type { Mutant } from '../mutant.ts';

const LOG = 'src/core/raft/log.ts';
const PROGRESS = 'src/core/raft/progress.ts';
const QUORUM = 'src/core/raft/quorum.ts';
const REPLICATION = 'src/core/raft/replication.ts';
const RAFT = 'src/core/raft/raft.ts';
const SNAPSHOT = 'src/core/raft/snapshot.ts';
const STATE = 'src/core/raft/state.ts';

export const replication: readonly Mutant[] = [
  {
    id: 'match-begins-at-last-index',
    group: 'raft',
    title: 'a new leader assumes that every peer holds its whole log',
    source: 'FAULTS 9, async-raft#113',
    edits: [
      {
        file: PROGRESS,
        find: '    this.match = 0;\n    this.next = lastIndex + 1;',
        replace: '    this.match = lastIndex;\n    this.next = lastIndex + 1;',
      },
    ],
    checks: ['sim', 'golden'],
  },
  {
    id: 'own-entry-counted-early',
    group: 'raft',
    title: 'a leader counts its own entry before it is on its disk',
    source: 'FAULTS 14, etcd#14370',
    edits: [
      {
        file: QUORUM,
        find: 'const matches = [s.log.durable];',
        replace: 'const matches = [s.log.lastIndex];',
      },
    ],
    checks: ['sim', 'golden'],
  },
  {
    id: 'commit-beyond-log',
    group: 'raft',
    title: 'a follower takes over a commit index beyond the entries that it holds, and stops',
    source: 'FAULTS 15, etcd#10254',
    edits: [
      {
        file: REPLICATION,
        find: 's.log.commitTo(Math.min(append.commit, lastNew));',
        replace: 's.log.commitTo(append.commit);',
      },
    ],
    checks: ['golden', 'sim'],
  },
  {
    id: 'old-term-committed',
    group: 'raft',
    title: 'an entry of an earlier term counts as committed once a majority holds it',
    source: 'FAULTS 17, Raft, figure 8',
    edits: [
      {
        file: QUORUM,
        find: 'if (candidate <= s.log.commit || s.log.termAt(candidate) !== s.term) return;',
        replace: 'if (candidate <= s.log.commit) return;',
      },
    ],
    checks: ['golden', 'sim'],
  },
  {
    id: 'commit-of-the-fastest',
    group: 'raft',
    title: 'the commit index follows the replica that is furthest, not the majority',
    source: 'own',
    edits: [
      {
        file: QUORUM,
        find: 'const candidate = matches.sort((a, b) => b - a)[s.quorum - 1] ?? 0;',
        replace: 'const candidate = matches.sort((a, b) => b - a)[0] ?? 0;',
      },
    ],
    checks: ['sim', 'golden'],
  },
  {
    id: 'acknowledged-before-durable',
    group: 'raft',
    title: 'a follower acknowledges entries that are not on its disk yet',
    source: 'own',
    edits: [
      {
        file: REPLICATION,
        find: '  const index = Math.min(s.log.durable, s.matched);\n',
        replace: '  const index = s.matched;\n',
      },
      {
        file: REPLICATION,
        find: '  if (written === 0 || s.log.durable >= lastNew) acknowledge(s, from);',
        replace: '  acknowledge(s, from);',
      },
    ],
    checks: ['sim', 'golden'],
  },
  {
    id: 'acknowledges-own-last-index',
    group: 'raft',
    title: 'a follower acknowledges all it holds, though the leader has shown it only a part to match',
    source: 'own',
    edits: [
      {
        file: REPLICATION,
        find: '  s.matched = Math.max(s.matched, lastNew);',
        replace: '  s.matched = s.log.lastIndex;',
      },
    ],
    checks: ['sim', 'golden'],
  },
  {
    id: 'match-survives-leader',
    group: 'raft',
    title: 'what matched the log of one leader is acknowledged to the next one',
    source: 'own',
    edits: [
      {
        file: 'src/core/raft/roles.ts',
        find: '    s.matched = 0;\n    s.lastAcked = 0;\n',
        replace: '    s.lastAcked = 0;\n',
      },
    ],
    checks: ['golden', 'sim'],
  },
  {
    id: 'previous-term-not-compared',
    group: 'raft',
    title: 'an append is taken wherever there is an entry before it, of whatever term',
    source: 'own',
    edits: [
      {
        file: REPLICATION,
        find: '  if (s.log.termAt(prevIndex) !== prevTerm) {',
        replace: '  if (s.log.termAt(prevIndex) === undefined) {',
      },
    ],
    checks: ['sim', 'golden'],
  },
  {
    id: 'append-cuts-what-matches',
    group: 'raft',
    title: 'an old append, come late, cuts off entries that were acknowledged since',
    source: 'own',
    edits: [
      {
        file: LOG,
        find: '      if (this.termAt(entry.index) === entry.term) continue;\n',
        replace: '',
      },
      {
        file: LOG,
        find: '    assert(index > this.commit, `L3: entry ${index} is committed (${this.commit})`);\n',
        replace: '',
      },
    ],
    checks: ['sim', 'golden'],
  },
  {
    id: 'durable-survives-cut',
    group: 'raft',
    title: 'entries that replaced others count as durable because the others were',
    source: 'own',
    edits: [
      {
        file: LOG,
        find: '    this.#durable = Math.min(this.#durable, index - 1);\n',
        replace: '',
      },
    ],
    checks: ['golden', 'sim'],
  },
  {
    id: 'stale-leader-obeyed',
    group: 'raft',
    title: 'a follower takes appends of a leader of an earlier term',
    source: 'own',
    edits: [
      {
        file: RAFT,
        find: '        if (term < s.term) return this.#tellStaleLeader(from);\n',
        replace: '        if (term + 1 < s.term) return this.#tellStaleLeader(from);\n',
      },
    ],
    checks: ['golden', 'sim'],
  },
  {
    id: 'peer-life-ignored',
    group: 'raft',
    title: 'a peer that comes back without its log is fed from where it was before',
    source: 'own',
    edits: [
      {
        file: RAFT,
        find: '      peer.incarnation = message.incarnation;\n      peer.reset(s.log.lastIndex);\n',
        replace: '      peer.incarnation = message.incarnation;\n',
      },
    ],
    checks: ['sim', 'golden'],
  },
  {
    id: 'stale-snapshot-accepted',
    group: 'raft',
    title: 'a snapshot from before the commit index replaces what is newer',
    source: 'own',
    edits: [
      {
        file: SNAPSHOT,
        find: '  if (index <= s.log.commit) return reply(s, from, chunk, chunk.total, true);\n',
        replace: '',
      },
      {
        file: LOG,
        find: "    assert(snapshot.index > this.commit, 'a snapshot may only move the commit index forward');\n",
        replace: '',
      },
    ],
    checks: ['golden', 'sim'],
  },
  {
    id: 'snapshot-durable-at-once',
    group: 'raft',
    title: 'a snapshot counts as durable when it has arrived, before it is on the disk',
    source: 'own; it was here',
    edits: [
      {
        file: LOG,
        find: '    this.#durable = Math.min(this.#durable, this.commit);\n',
        replace: '    this.#durable = this.#mark.index;\n',
      },
    ],
    checks: ['sim', 'golden'],
  },
  {
    id: 'conflict-at-the-beginning',
    group: 'raft',
    title:
      'where the logs differ at the entry that the leader’s begins after, the same append is sent for ever',
    source: 'own; it was here',
    edits: [
      {
        file: LOG,
        find: 'return here <= term ? { index: at, term: here } : { index: at - 1, term: 0 };',
        replace: 'return { index: at, term: here };',
      },
    ],
    checks: ['golden', 'sim'],
  },
  {
    id: 'snapshot-answered-before-durable',
    group: 'raft',
    title: 'a follower reports a snapshot as installed before it is on its disk',
    source: 'own',
    edits: [
      {
        file: STATE,
        find: " || this.#identityDirty || body.kind === 'snapshot-reply';",
        replace: ' || this.#identityDirty;',
      },
    ],
    checks: ['golden', 'sim'],
  },
  {
    id: 'chunk-offset-ignored',
    group: 'raft',
    title: 'a chunk that arrives twice is put into the snapshot twice',
    source: 'own',
    edits: [
      {
        file: SNAPSHOT,
        find: '  if (chunk.offset !== incoming.received) return reply(s, from, chunk, incoming.received, false);\n',
        replace: '',
      },
    ],
    checks: ['golden', 'sim'],
  },
];
