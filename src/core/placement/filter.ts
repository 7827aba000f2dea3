/** What keeps a sandbox off a worker, and how that is said when it fits nowhere. */
import type { Label, PlacementStrategy, ResourceSpec } from '../model/function.ts';
import type { WorkerCapacity } from '../model/worker-report.ts';

export interface Candidate {
  readonly capacity: WorkerCapacity;
  readonly allocated: Readonly<WorkerCapacity>;
  readonly availability: 'available' | 'cordoned' | 'unreachable';
  readonly labels: readonly Label[];
}

export interface PlacementRequest {
  readonly resources: ResourceSpec;
  readonly selector: readonly Label[];
  readonly strategy: PlacementStrategy;
}

/** Bits, so that thousands of workers are filtered without an object each; in the order in which they are said. */
const BLOCKERS = [
  { bit: 1, one: 'does not report', many: 'do not report' },
  { bit: 2, one: 'cordoned', many: 'cordoned' },
  { bit: 4, one: 'does not match the selector', many: 'do not match the selector' },
  { bit: 8, one: 'has no slot left', many: 'have no slot left' },
  { bit: 16, one: 'lacks CPU', many: 'lack CPU' },
  { bit: 32, one: 'lacks memory', many: 'lack memory' },
] as const;
const [UNREACHABLE, CORDONED, UNSELECTED, SLOTS, CPU, MEMORY] = BLOCKERS;

/** 0: it fits. As in kube-scheduler, of a resource filter's blockers each counts, and before it only the first. */
export function blockersOf(candidate: Candidate, { resources, selector }: PlacementRequest): number {
  const { capacity, allocated, availability } = candidate;
  if (availability === 'unreachable') return UNREACHABLE.bit;
  if (availability === 'cordoned') return CORDONED.bit;
  if (!matches(candidate.labels, selector)) return UNSELECTED.bit;
  return (
    (allocated.sandboxes + 1 > capacity.sandboxes ? SLOTS.bit : 0) |
    (allocated.cpuMillis + resources.cpuMillis > capacity.cpuMillis ? CPU.bit : 0) |
    (allocated.memoryMiB + resources.memoryMiB > capacity.memoryMiB ? MEMORY.bit : 0)
  );
}

/** Whether each label of the selector is there, with its value. */
function matches(labels: readonly Label[], selector: readonly Label[]): boolean {
  for (const { name, value } of selector) {
    if (!labels.some((label) => label.name === name && label.value === value)) return false;
  }
  return true;
}

/** `0 of 3 workers: 1 cordoned, 2 lack memory`. */
export function explainNoRoom(workers: readonly Candidate[], request: PlacementRequest): string {
  const counts = BLOCKERS.map(() => 0);
  let fitting = 0;
  for (const worker of workers) {
    const blockers = blockersOf(worker, request);
    if (blockers === 0) fitting++;
    for (const [i, { bit }] of BLOCKERS.entries())
      if ((blockers & bit) !== 0) counts[i] = (counts[i] ?? 0) + 1;
  }
  const causes = BLOCKERS.flatMap(({ one, many }, i) => {
    const count = counts[i] ?? 0;
    return count === 0 ? [] : [`${count} ${count === 1 ? one : many}`];
  });
  const head = `${fitting} of ${workers.length} workers`;
  return causes.length === 0 ? head : `${head}: ${causes.join(', ')}`;
}
