/**
 * Which worker starts a sandbox: filter, then score. The scores are kube-scheduler's least-allocated and
 * balanced-allocation, equally weighted, over CPU and memory as they would be after the placement.
 */
import type { WorkerId } from '../../lib/ids.ts';
import type { ResourceSpec } from '../model/function.ts';
import type { WorkerCapacity } from '../model/worker-report.ts';

export interface Candidate {
  readonly id: WorkerId;
  readonly capacity: WorkerCapacity;
  readonly allocated: Readonly<WorkerCapacity>;
  readonly schedulable: boolean;
}

/** Whether the worker has room; requests are reservations, not measurements. */
export function fits(candidate: Candidate, request: ResourceSpec): boolean {
  const { capacity, allocated } = candidate;
  return (
    candidate.schedulable &&
    allocated.sandboxes + 1 <= capacity.sandboxes &&
    allocated.cpuMillis + request.cpuMillis <= capacity.cpuMillis &&
    allocated.memoryMiB + request.memoryMiB <= capacity.memoryMiB
  );
}

/** 0 to 200: mean free share, plus how evenly CPU and memory are used. */
export function score(candidate: Candidate, request: ResourceSpec): number {
  const { capacity, allocated } = candidate;
  const cpu = (allocated.cpuMillis + request.cpuMillis) / Math.max(1, capacity.cpuMillis);
  const memory = (allocated.memoryMiB + request.memoryMiB) / Math.max(1, capacity.memoryMiB);
  const slots = (allocated.sandboxes + 1) / Math.max(1, capacity.sandboxes);
  const leastAllocated = 100 * (1 - (cpu + memory + slots) / 3);
  const balanced = 100 * (1 - Math.abs(cpu - memory) / 2);
  return leastAllocated + balanced;
}

/** The best worker; of equals the first id, so that the choice is a function of the state. */
export function place(candidates: Iterable<Candidate>, request: ResourceSpec): WorkerId | undefined {
  let best: Candidate | undefined;
  let bestScore = Number.NEGATIVE_INFINITY;
  for (const candidate of candidates) {
    if (!fits(candidate, request)) continue;
    const value = score(candidate, request);
    if (value > bestScore || (value === bestScore && best !== undefined && candidate.id < best.id)) {
      best = candidate;
      bestScore = value;
    }
  }
  return best?.id;
}
