/** Bugs of the choice of a worker: what it may be, what it is given, and which of those that fit. */
import type { Edit, Mutant } from '../mutant.ts';

const FILTER = 'src/core/placement/filter.ts';
const PLACEMENT = 'src/core/placement/placement.ts';
const STATE = 'src/core/leader/state.ts';

function mutant(id: string, title: string, edit: Edit): Mutant {
  return { id, group: 'placement', title, source: 'own', edits: [edit], checks: ['tests'] };
}

export const placement: readonly Mutant[] = [
  mutant(
    'request-not-counted',
    'a worker is full only once what it has is above its memory, whatever is asked for',
    {
      file: FILTER,
      find: 'allocated.memoryMiB + resources.memoryMiB > capacity.memoryMiB',
      replace: 'allocated.memoryMiB > capacity.memoryMiB',
    },
  ),
  mutant('one-slot-too-many', 'a worker is given one sandbox more than it has slots', {
    file: FILTER,
    find: 'allocated.sandboxes + 1 > capacity.sandboxes',
    replace: 'allocated.sandboxes > capacity.sandboxes',
  }),
  mutant('cordon-ignored', 'a cordoned worker is given what fits there', {
    file: FILTER,
    find: "  if (availability === 'cordoned') return CORDONED.bit;\n",
    replace: '',
  }),
  mutant('label-by-name-alone', 'a selector looks at the names of labels and not at their values', {
    file: FILTER,
    find: 'label.name === name && label.value === value',
    replace: 'label.name === name || label.value === value',
  }),
  mutant('nothing-is-empty', 'a worker that has none of a resource counts as empty of it', {
    file: PLACEMENT,
    find: 'capacity === 0 ? 1 :',
    replace: 'capacity === 0 ? 0 :',
  }),
  mutant('balance-ignored', 'least-allocated fills the memory of a worker and leaves its CPU idle', {
    file: PLACEMENT,
    find: '  leastAllocated(candidate, request) + balancedAllocation(candidate, request);',
    replace: '  leastAllocated(candidate, request);',
  }),
  mutant('packing-spreads', 'bin-packing takes the emptiest worker', {
    file: PLACEMENT,
    find: 'return search(workers, request, 0, mostAllocated).best;',
    replace: 'return search(workers, request, 0, leastAllocated).best;',
  }),
  mutant('always-the-first-hundred', 'of a large fleet the same hundred workers are scored each time', {
    file: PLACEMENT,
    find: '  cursor.at = (cursor.at + seen) % Math.max(1, workers.length);\n',
    replace: '',
  }),
  mutant('round-counts-calls', 'a round goes on behind its last turn and not behind its last worker', {
    file: PLACEMENT,
    find: '        turn.next = at + 1;\n',
    replace: '        turn.next += 1;\n',
  }),
  mutant('no-room-where-it-is', 'what prefers workers with its artifact starts nowhere when they are full', {
    file: PLACEMENT,
    find: 'return spread(holders, request, this.#holding) ?? spread(workers, request, this.#anywhere);',
    replace: 'return spread(holders.length > 0 ? holders : workers, request, this.#holding);',
  }),
  mutant('drawn-and-lost', 'a random choice gives up when its draws do not fit', {
    file: PLACEMENT,
    find: '    return feasible[this.#random.below(feasible.length)];\n',
    replace: '    return feasible.length === workers.length ? feasible[0] : undefined;\n',
  }),
  mutant('never-given-back', 'what a sandbox had reserved stays reserved when it is gone', {
    file: STATE,
    find: '    allocated.cpuMillis -= placed.resources.cpuMillis;\n',
    replace: '',
  }),
  mutant('told-of-all-that-fit', 'the line that says why counts workers that fit as if they did not', {
    file: FILTER,
    find: '    if (blockers === 0) fitting++;\n',
    replace: '    if (blockers !== 0) fitting++;\n',
  }),
];
