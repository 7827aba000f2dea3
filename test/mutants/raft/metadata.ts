/** Bugs in the replicated state machine. */
import type { Mutant } from '../mutant.ts';

const STATE = 'src/core/metadata/metadata-state.ts';
const TABLE = 'src/core/metadata/request-table.ts';

export const metadata: readonly Mutant[] = [
  {
    id: 'request-ids-not-asked',
    group: 'raft',
    title: 'a retry takes effect a second time',
    source: 'own',
    edits: [
      {
        file: TABLE,
        find: '    const known = this.#requests.get(keyOf(id));\n    if (known !== undefined) {',
        replace:
          '    const known = this.#requests.get(keyOf(id));\n    if (known !== undefined && known.fingerprint !== fingerprint) {',
      },
      {
        file: TABLE,
        find: '    if (this.#requests.size <= this.#capacity) return undefined;',
        replace: '    if (this.#requests.size < this.#capacity) return undefined;',
      },
    ],
    checks: ['sim'],
  },
  {
    id: 'generation-not-compared',
    group: 'raft',
    title: '`ifGeneration` is not looked at',
    source: 'own',
    edits: [
      {
        file: STATE,
        find: 'if (command.ifGeneration !== undefined && command.ifGeneration !== generation) {',
        replace: 'if (command.ifGeneration !== undefined && command.ifGeneration < 0) {',
      },
      {
        file: 'src/control-plane/registrations.ts',
        find: '    if (ifGeneration === undefined) return false;\n',
        replace: '    if (ifGeneration !== undefined || ifGeneration === undefined) return false;\n',
      },
    ],
    checks: ['sim'],
  },
  {
    id: 'snapshot-without-request-ids',
    group: 'raft',
    title: 'a snapshot leaves the table of request ids out',
    source: 'own',
    edits: [
      { file: STATE, find: '      requests: this.#requests.list(),\n', replace: '      requests: [],\n' },
    ],
    checks: ['sim'],
  },
  {
    id: 'eviction-floor-forgotten',
    group: 'raft',
    title: 'the table forgets that it has forgotten: an evicted id takes effect again',
    source: 'own',
    edits: [{ file: TABLE, find: '    this.#evictedIndex = oldest[1].index;\n', replace: '' }],
    // Twice what the clients of a run have under way at once: what is still being tried seldom expires.
    conditions: [
      { file: 'src/lib/limits.ts', find: '  requestIds: 100_000,\n', replace: '  requestIds: 22,\n' },
    ],
    checks: ['sim'],
  },
  {
    id: 'uid-of-the-name',
    group: 'raft',
    title: 'a function that takes the name of a deleted one takes its identity too',
    source: 'own',
    edits: [
      {
        file: STATE,
        find: 'const uid = current?.uid ?? functionUid(index);',
        replace:
          'const uid = functionUid([...name].reduce((sum, char) => 31 * sum + (char.codePointAt(0) ?? 0), 7) % 1e9);',
      },
    ],
    checks: ['sim'],
  },
];
