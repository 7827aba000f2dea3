/** Bugs that only a fleet shows of which a leader cannot hear everybody at once. */
import type { Mutant } from '../mutant.ts';

const WORKERS = 'src/core/leader/workers.ts';
const LOOP = 'src/control-plane/turn-loop.ts';
const FLEET_TESTS = ['test/unit/leader'];

export const greatFleet: readonly Mutant[] = [
  {
    id: 'arriving-fleet-judged',
    group: 'recovery',
    title: 'a leader that is slow to hear thousands takes those for dead that it has not heard yet',
    source: 'own',
    edits: [
      {
        file: WORKERS,
        find: '  return !mayArrive || s.nowMs - s.arrivedMs >= suspicionMs;\n',
        replace: '  return true;\n',
      },
    ],
    checks: ['tests'],
    tests: FLEET_TESTS,
  },
  {
    id: 'heard-once-judged',
    group: 'recovery',
    title:
      'a leader that is slow to hear thousands takes those for dead that it has heard once and not again',
    source: 'own',
    edits: [{ file: WORKERS, find: '(!node.heard || !s.closed)', replace: '!node.heard' }],
    checks: ['tests'],
    tests: FLEET_TESTS,
  },
  {
    id: 'arriving-for-ever',
    group: 'recovery',
    title: 'while workers come, none that was named and never heard is taken for dead',
    source: 'own',
    edits: [{ file: WORKERS, find: ' && quietMs < ARRIVAL_INTERVALS * suspicionMs', replace: '' }],
    checks: ['tests'],
    tests: FLEET_TESTS,
  },
  {
    id: 'inventory-asked-with-each-heartbeat',
    group: 'recovery',
    title: 'an inventory that is on its way, spread over a second, is asked for again and comes twice',
    source: 'own',
    edits: [
      {
        file: WORKERS,
        find: '  if (!isGreat || asks === 0) return INVENTORY_ASK_MS;\n',
        replace: '  if (asks >= 0) return INVENTORY_ASK_MS;\n',
      },
    ],
    checks: ['tests'],
    tests: FLEET_TESTS,
  },
  {
    id: 'buried-all-at-once',
    group: 'recovery',
    title: 'the withdrawals of a silent part of the fleet take so long that their leader is deposed',
    source: 'own',
    edits: [{ file: WORKERS, find: '    if (buried >= limits.buriedSandboxes) break;\n', replace: '' }],
    checks: ['tests'],
    tests: FLEET_TESTS,
  },
  {
    id: 'fleet-behind-tables',
    group: 'recovery',
    title: 'heartbeats wait a part of a data plane’s table each',
    source: 'own',
    edits: [
      {
        file: LOOP,
        find: 'const weightMs = Math.max(ms, LEAST_MS);',
        replace: 'const weightMs = Math.min(ms, LEAST_MS) + LEAST_MS;',
      },
    ],
    checks: ['tests'],
    tests: ['test/unit/turn-loop'],
  },
  {
    id: 'rest-told-in-the-way',
    group: 'recovery',
    title: 'a great table is told again to a leader that is still hearing the same from its workers',
    source: 'own',
    edits: [
      {
        file: 'src/data-plane/held-telling.ts',
        find: ' && !this.#isMelting(nowMs)',
        replace: '',
      },
    ],
    checks: ['tests'],
    tests: ['test/unit/data-plane'],
  },
];
