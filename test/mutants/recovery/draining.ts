/** Bugs of emptying a worker. */
import type { Mutant } from '../mutant.ts';

const DRAINING = 'src/core/leader/draining.ts';
const TESTS = ['test/unit/leader', 'test/unit/worker'];

export const draining: readonly Mutant[] = [
  {
    id: 'moved-before-it-is-ready',
    group: 'recovery',
    title: 'a sandbox on a drained worker goes as soon as another one is being started in its place',
    source: 'own',
    edits: [
      {
        file: DRAINING,
        find: "    if (placed.state === 'ready' && placed.generation === generation &&",
        replace: '    if (placed.generation === generation &&',
      },
    ],
    checks: ['tests'],
    tests: TESTS,
  },
  {
    id: 'moves-are-growth',
    group: 'recovery',
    title: 'what starts in the place of another counts as growth, and is moved again',
    source: 'own; it was here',
    edits: [
      {
        file: DRAINING,
        find: 'const likely = node.isDecided ? node.desired : ready + startingThere + startingElsewhere;',
        replace: 'const likely = ready + startingThere + startingElsewhere;',
      },
    ],
    checks: ['tests'],
    tests: TESTS,
  },
  {
    id: 'drain-forgotten',
    group: 'recovery',
    title: 'a worker forgets with its next fence that it is to be emptied',
    source: 'own',
    edits: [
      {
        file: 'src/core/worker/worker-core.ts',
        find: '    this.#fence = fence;\n    this.#lastCommand = 0;\n',
        replace: '    this.#fence = fence;\n    this.#lastCommand = 0;\n    this.#draining = false;\n',
      },
    ],
    checks: ['tests'],
    tests: TESTS,
  },
  {
    id: 'drained-before-closed',
    group: 'recovery',
    title: 'a new leader empties a worker before it knows what the others have',
    source: 'own',
    edits: [
      {
        file: 'src/core/leader/scaling.ts',
        find: '  if (leaving.length > 0 && s.closed) relocate(',
        replace: '  if (leaving.length > 0) relocate(',
      },
    ],
    checks: ['tests'],
    tests: TESTS,
  },
];
