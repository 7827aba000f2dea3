/** Bugs of a new leader that knows nothing: what it believes, and what it does before it may. */
import type { Mutant } from '../mutant.ts';

const RECONSTRUCTION = 'src/core/leader/reconstruction.ts';
const SCALING = 'src/core/leader/scaling.ts';
const WITHDRAWAL = 'src/core/leader/withdrawal.ts';
const WORKERS = 'src/core/leader/workers.ts';
const VIEW = 'src/core/fleet/worker-view.ts';

export const leader: readonly Mutant[] = [
  {
    id: 'late-worker-skipped',
    group: 'recovery',
    title: 'a worker that was not connected at the failover is never heard',
    source: 'Dirigent',
    edits: [
      {
        file: WORKERS,
        find: '  const node = workerNode(s, id);\n  const incarnationBefore',
        replace:
          '  if (s.closed && !s.workers.has(id)) return;\n  const node = workerNode(s, id);\n  const incarnationBefore',
      },
    ],
    checks: ['tests', 'sim'],
  },
  {
    id: 'swept-before-closed',
    group: 'recovery',
    title: 'the first inventory sweeps what other workers have not confirmed yet',
    source: 'own',
    edits: [
      {
        file: WORKERS,
        find: '  for (const placed of [...node.placed.values()]) {\n    if (node.view.sandboxes.has(placed.id)) {',
        replace:
          "  for (const placed of [...s.placed.values()]) {\n    if (placed.worker !== node && placed.state !== 'unconfirmed') continue;\n    if (node.view.sandboxes.has(placed.id)) {",
      },
    ],
    checks: ['tests', 'sim'],
  },
  {
    id: 'closed-at-once',
    group: 'recovery',
    title: 'a leader that knows nobody has heard everybody: after a full restart it closes at once',
    source: 'own',
    edits: [
      {
        file: RECONSTRUCTION,
        find: '  if (s.nowMs - Math.max(s.startedMs, s.busUpSinceMs) < s.options.suspicionMs) return false;\n',
        replace: '',
      },
    ],
    checks: ['tests', 'sim'],
  },
  {
    id: 'scaled-down-at-once',
    group: 'recovery',
    title: 'a new leader scales down to what it has heard of so far',
    source: 'own',
    edits: [
      { file: SCALING, find: 'if (desired < have && !s.closed) {', replace: 'if (desired < 0) {' },
      {
        file: SCALING,
        find: "  assert(s.closed, 'S1: nothing is scaled down before reconciliation closes');\n",
        replace: "  assert(surplus > 0, 'there is a surplus');\n",
      },
    ],
    checks: ['tests', 'sim'],
  },
  {
    id: 'drained-without-acknowledgement',
    group: 'recovery',
    title: 'a sandbox is drained while data planes still send requests to it',
    source: 'own',
    edits: [{ file: WITHDRAWAL, find: '    if (!isFree) continue;\n', replace: '' }],
    checks: ['tests', 'sim'],
  },
  {
    id: 'creates-outlive-their-worker',
    group: 'recovery',
    title: 'what was to start on a worker that is taken for dead starts there when it comes back',
    source: 'own',
    edits: [{ file: WORKERS, find: '  node.session?.giveUpCreates();\n', replace: '' }],
    checks: ['tests', 'sim'],
  },
  {
    id: 'old-generation-forgotten',
    group: 'recovery',
    title: 'an older generation that comes back late is left running while nothing else is to be done',
    source: 'own',
    edits: [{ file: SCALING, find: '    outdated(node).length === 0 &&\n', replace: '' }],
    checks: ['tests', 'sim'],
  },
  {
    id: 'late-heartbeat-believed',
    group: 'recovery',
    title: 'a heartbeat that comes late takes back what a later one said of its worker',
    source: 'own',
    edits: [
      { file: VIEW, find: '    if (heartbeat.seq >= this.#seq) {', replace: '    if (heartbeat.seq >= 0) {' },
    ],
    checks: ['tests', 'sim'],
  },
  {
    id: 'inventory-of-an-earlier-life',
    group: 'recovery',
    title: 'an inventory is merged whatever life of its worker it is of',
    source: 'own',
    edits: [
      {
        file: VIEW,
        find: "    if (order === 'older' || order === 'duplicate') {",
        replace: "    if (report.kind !== 'inventory' && (order === 'older' || order === 'duplicate')) {",
      },
    ],
    checks: ['tests', 'sim'],
  },
  {
    id: 'gap-in-heartbeats',
    group: 'recovery',
    title: 'a heartbeat that follows a lost one is taken for all there is to know',
    source: 'own',
    edits: [
      {
        file: VIEW,
        find: 'const gap = heartbeat.sinceVersion > this.#version;',
        replace: 'const gap = heartbeat.sinceVersion < 0;',
      },
    ],
    checks: ['tests', 'sim'],
  },
];
