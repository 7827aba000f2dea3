/** Bugs between the core and the disk: what is written, when it is believed, and what a restart makes of it. */
import type { Mutant } from '../mutant.ts';

const DRIVER = 'src/control-plane/raft-driver.ts';
const STATE = 'src/core/raft/state.ts';
const COMPACTION = 'src/control-plane/compaction.ts';
const LOG_FILE = 'src/adapters/log-file/log-file.ts';
const LOG_READER = 'src/adapters/log-file/read-directory.ts';

export const storage: readonly Mutant[] = [
  {
    id: 'term-and-vote-apart',
    group: 'raft',
    title: 'the term is written first and the vote after it: a crash in between forgets the vote',
    source: 'FAULTS 1, hashicorp/raft#661',
    edits: [
      {
        file: DRIVER,
        find: '    const saved = this.#ports.store.save(batch);\n',
        replace: `    const { hardState } = batch;
    const saved = this.#ports.store.save(
      hardState === undefined ? batch : { ...batch, hardState: { ...hardState, vote: '' } },
    );
    if (hardState !== undefined)
      void this.#ports.store.save({ hardState, entries: [], snapshot: undefined }).catch(() => undefined);
`,
      },
    ],
    checks: ['sim', 'golden'],
  },
  {
    id: 'reply-before-vote',
    group: 'raft',
    title: 'a vote leaves before it is on the disk',
    source: 'FAULTS 2, NodeDB#161',
    edits: [
      {
        file: STATE,
        find: 'const waits = !this.isHardDurable || this.#identityDirty ||',
        replace: 'const waits = this.#identityDirty ||',
      },
    ],
    checks: ['sim', 'golden'],
  },
  {
    id: 'volatile-vote',
    group: 'raft',
    title: 'the vote is not read back after a restart',
    source: 'FAULTS 3, Dirigent',
    edits: [
      {
        file: DRIVER,
        find: "          vote: opened.hardState.vote as ReplicaId | '',\n",
        replace: "          vote: '',\n",
      },
    ],
    checks: ['sim', 'golden'],
  },
  {
    id: 'shutdown-deletes-vote',
    group: 'raft',
    title: 'a clean shutdown deletes the vote',
    source: 'FAULTS 11, nats-io/graft',
    edits: [
      {
        file: DRIVER,
        find: '    await this.#identityChain.catch(() => undefined);\n',
        replace: `    await this.#identityChain.catch(() => undefined);
    const { term, commit } = this.#raft.status();
    await this.#ports.store
      .save({ hardState: { term, vote: '', commit }, entries: [], snapshot: undefined })
      .catch(() => undefined);
`,
      },
    ],
    checks: ['sim'],
  },
  {
    id: 'applied-index-apart',
    group: 'raft',
    title: 'a snapshot says an index that its data has not reached',
    source: 'FAULTS 13, etcd 3.5',
    edits: [
      {
        file: COMPACTION,
        find: '      if (done === true) return this.#store({ index, term, data: Buffer.concat(encoded) });\n',
        replace: `      if (done === true) {
        const data = this.#dataOfSnapshot;
        this.#dataOfSnapshot = Buffer.concat(encoded);
        return this.#store({ index, term, data });
      }
`,
      },
      {
        file: COMPACTION,
        find: '  #running = false;\n\n  constructor',
        replace: `  #running = false;
  #dataOfSnapshot: Uint8Array = Buffer.alloc(0);

  constructor`,
      },
    ],
    checks: ['sim'],
  },
  {
    id: 'fsync-not-awaited',
    group: 'raft',
    title: 'a ticket counts as durable before its fsync has returned',
    source: 'own',
    edits: [
      {
        file: DRIVER,
        find: 'Promise.all([saved, identityDone]).then(',
        replace: 'saved.catch(() => undefined);\n    Promise.all([identityDone]).then(',
      },
    ],
    checks: ['sim'],
  },
  {
    id: 'unknown-command-skipped',
    group: 'raft',
    title: 'a command that cannot be decoded is skipped, and the states of two versions part',
    source: 'own',
    edits: [
      {
        file: DRIVER,
        find: `      this.#raft.storageFailed();
      this.#fatal(error);
      return false;
`,
        replace: `      this.#ports.logger.warn({ error: explain(error) }, 'skipped');
      command = { kind: 'no-op' };
`,
      },
    ],
    checks: ['sim'],
  },
  {
    id: 'failed-disk-used-on',
    group: 'raft',
    title: 'a write that failed is tried again, behind what is left of it in the same file',
    source: 'own',
    edits: [
      {
        file: LOG_FILE,
        find: "      this.#failed = new BatonError('io', 'the log store failed and writes nothing more', { cause });\n      throw this.#failed;",
        replace: "      throw new BatonError('io', 'the log store failed', { cause });",
      },
      {
        file: DRIVER,
        find: '    const saved = this.#ports.store.save(batch);\n',
        replace: `    const save = async (): Promise<void> => {
      try {
        await this.#ports.store.save(batch);
      } catch {
        await new Promise<void>((resolve) => void this.#ports.clock.after(20, resolve));
        await save();
      }
    };
    const saved = save();
`,
      },
    ],
    checks: ['sim'],
  },
  {
    id: 'one-hard-slot',
    group: 'raft',
    title: 'term and vote are written to one place only: rotten once, they are gone',
    source: 'own',
    edits: [
      {
        file: LOG_FILE,
        find: '    for (const slot of slots) {\n      const path',
        replace: '    for (const slot of slots.slice(0, 1)) {\n      const path',
      },
    ],
    checks: ['sim'],
  },
  {
    id: 'log-not-synced',
    group: 'raft',
    title: 'records are written and never flushed: `save` resolves on the page cache',
    source: 'own',
    edits: [
      {
        file: LOG_FILE,
        find: '    await writeRecords();\n    await this.#file?.datasync();\n',
        replace: '    await writeRecords();\n',
      },
    ],
    checks: ['sim'],
  },
  {
    id: 'vote-not-synced',
    group: 'raft',
    title: 'term and vote are written and never flushed',
    source: 'own',
    edits: [{ file: LOG_FILE, find: '        await file.datasync();\n', replace: '' }],
    checks: ['sim'],
  },
  {
    id: 'commit-before-its-entries',
    group: 'raft',
    title: 'the commit index of a slot counts, though the entries that it vouches for were never written',
    source: 'own; it was here',
    edits: [
      {
        file: LOG_READER,
        find: 'hardState: { ...hard.state, commit: log.commit },',
        replace: 'hardState: { ...hard.state, commit: Math.max(hard.state.commit, log.commit) },',
      },
    ],
    checks: ['sim'],
  },
  {
    id: 'damage-taken-for-torn',
    group: 'raft',
    title: 'a damaged record is cut off like a torn one, and what was acknowledged after it is gone',
    source: 'own',
    edits: [
      {
        file: LOG_READER,
        find: "    if (state === 'damaged' || (segment !== begun.segment && payloads.length > 0)) return `log-${segment}`;\n",
        replace:
          "    if (segment !== begun.segment && state !== 'torn' && payloads.length > 0) return `log-${segment}`;\n",
      },
    ],
    checks: ['sim'],
  },
  {
    id: 'failed-sync-believed',
    group: 'raft',
    title:
      'what an fsync left out that failed is found in the page cache after a restart, and the next fsync is believed',
    source: 'own; it was here',
    edits: [
      {
        file: LOG_READER,
        find: '    isStale: later.length > 0 || begun.goodBytes > markedBytes,\n',
        replace: '    isStale: later.length > 0,\n',
      },
    ],
    checks: ['sim'],
  },
  {
    id: 'late-compaction-wins',
    group: 'raft',
    title: 'an own snapshot that is stored late takes the place of the newer one that came from the leader',
    source: 'own',
    edits: [
      {
        file: 'src/core/raft/log.ts',
        find: '    if (snapshot.index <= (this.#snapshot?.index ?? 0)) return;\n',
        replace: '',
      },
    ],
    checks: ['tests'],
    tests: ['test/unit/raft'],
  },
  {
    id: 'lost-snapshot-unnoticed',
    group: 'raft',
    title: 'a directory whose snapshot is gone counts as whole: its replica votes, and holds nothing',
    source: 'own',
    edits: [
      {
        file: LOG_READER,
        find: "  if (log.commit > base + entries.length) return 'snapshot (the log says that more is committed)';\n",
        replace: '',
      },
    ],
    checks: ['tests'],
    tests: ['test/unit/log-file'],
  },
];
