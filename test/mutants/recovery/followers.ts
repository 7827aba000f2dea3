/** Bugs of those who follow a leader: workers, and data planes with their copy of the table. */
import type { Mutant } from '../mutant.ts';

const WORKER = 'src/core/worker/worker-core.ts';
const TABLE = 'src/core/endpoints/endpoint-replica.ts';

const ALREADY_APPLIED = `    if (envelope.seq <= this.#lastCommand) {
      this.#dirty = true;
      return 'already-applied';
    }
`;
const NEXT_COMMAND = '    this.#lastCommand = envelope.seq;\n';
const LATEST_COMMAND = '    this.#lastCommand = Math.max(this.#lastCommand, envelope.seq);\n';

export const followers: readonly Mutant[] = [
  {
    id: 'worker-obeys-lower-fence',
    group: 'recovery',
    title: 'a worker carries out a command of a leader that was deposed',
    source: 'own',
    edits: [
      {
        file: WORKER,
        find: "    if (order < 0) return 'fenced';\n    if (orderIncarnation(envelope.incarnation",
        replace: '    if (orderIncarnation(envelope.incarnation',
      },
    ],
    checks: ['tests', 'sim'],
  },
  {
    id: 'fence-forgotten',
    group: 'recovery',
    title: 'a worker forgets over a restart whom it obeyed',
    source: 'own',
    edits: [
      {
        file: 'src/worker/worker.ts',
        find: 'const fence = remembered?.fence ?? NO_FENCE;',
        replace: 'const fence = NO_FENCE;',
      },
    ],
    checks: ['sim'],
  },
  {
    id: 'create-applied-twice',
    group: 'recovery',
    title: 'a create command that is delivered twice starts two sandboxes',
    source: 'own',
    edits: [
      { file: WORKER, find: ALREADY_APPLIED, replace: '' },
      { file: WORKER, find: NEXT_COMMAND, replace: LATEST_COMMAND },
      { file: WORKER, find: '    if (this.#sandboxes.has(sandbox)) return;\n', replace: '' },
    ],
    checks: ['tests', 'sim'],
  },
  {
    id: 'late-create-after-death',
    group: 'recovery',
    title: 'a create command that comes again after its sandbox has ended starts it again',
    source: 'own',
    edits: [
      { file: WORKER, find: ALREADY_APPLIED, replace: '' },
      { file: WORKER, find: NEXT_COMMAND, replace: LATEST_COMMAND },
    ],
    checks: ['tests', 'sim'],
  },
  {
    id: 'table-obeys-lower-fence',
    group: 'recovery',
    title: 'a data plane applies a batch of a leader that was deposed',
    source: 'own',
    edits: [
      {
        file: TABLE,
        find: `  onBatch(batch: EndpointBatch, nowMs: number): TableUpdate {
    const order = compareFence(batch.fence, this.#fence);
    if (order < 0) return { ...NOTHING, fenced: true };
`,
        replace: `  onBatch(batch: EndpointBatch, nowMs: number): TableUpdate {
    const order = compareFence(batch.fence, this.#fence);
`,
      },
    ],
    checks: ['tests'],
  },
  {
    id: 'delta-across-a-gap',
    group: 'recovery',
    title: 'a batch is applied though the one before it is missing',
    source: 'own',
    edits: [
      {
        file: TABLE,
        find: '    if (batch.seq > this.#seq + 1) return { ...NOTHING, newFence, pull: true };\n',
        replace: '',
      },
    ],
    checks: ['tests', 'sim'],
  },
  {
    id: 'partial-snapshot-as-complete',
    group: 'recovery',
    title: 'what a partial snapshot lacks is taken out of the table',
    source: 'own',
    edits: [
      {
        file: TABLE,
        find: '    if (snapshot.complete) this.#removeWhatLacks(snapshot, changes);\n',
        replace: '    this.#removeWhatLacks(snapshot, changes);\n',
      },
    ],
    checks: ['tests', 'sim'],
  },
  {
    id: 'endpoint-kept-after-refusal',
    group: 'recovery',
    title: 'an endpoint that refused a connection is given the next request too',
    source: 'own',
    edits: [
      {
        file: 'src/core/dispatch/dispatcher.ts',
        find: "    this.#takeOut(state, 'refused', nowMs);\n",
        replace: '',
      },
    ],
    checks: ['tests', 'sim'],
  },
  {
    id: 'sandbox-of-another-owner',
    group: 'recovery',
    title: 'a data plane that was away uses a sandbox with a hard limit that another one counts',
    source: 'own',
    edits: [
      {
        file: 'src/core/dispatch/function-dispatch.ts',
        find: '      (limit === 0 || state.isOwn);\n',
        replace: '      (limit === 0 || state.isOwn || state.condemned === false);\n',
      },
    ],
    checks: ['tests', 'sim'],
  },
  {
    id: 'deletion-taken-for-the-name',
    group: 'recovery',
    title: 'a request that waits while its function is deleted is answered 404, whoever has the name by then',
    source: 'own',
    edits: [
      {
        file: 'src/data-plane/invocation.ts',
        find: '        this.#answered = true;\n        return this.#options.onDeleted();\n',
        replace: "        return this.#fail('unknown-function');\n",
      },
    ],
    checks: ['tests'],
  },
  {
    id: 'port-used-again-at-once',
    group: 'recovery',
    title: 'the port of a sandbox that ended goes to the next one at once',
    source: 'own',
    edits: [
      {
        file: 'src/adapters/runtimes/process/ports.ts',
        find: 'this.#barredUntil.set(port - this.#range.from, this.#clock.now() + QUARANTINE_MS);',
        replace: 'this.#barredUntil.set(port - this.#range.from, this.#clock.now());',
      },
    ],
    checks: ['tests'],
    tests: ['test/unit/runtimes/ports.test.ts'],
  },
  {
    id: 'demand-not-sent-again',
    group: 'recovery',
    title: 'demand that was acknowledged by a leader is not told to the next one',
    source: 'own',
    edits: [
      {
        file: 'src/data-plane/demand.ts',
        find: '    for (const uid of waiting) this.#pending.set(uid, 0);\n    if (this.#pending.size === 0) return;\n',
        replace: '    void waiting;\n    if (this.#pending.size === 0) return;\n',
      },
    ],
    checks: ['tests'],
  },
];
