/** Workers and requests for placement. */
import type { Candidate, PlacementRequest } from '../../../src/core/placement/filter.ts';

export interface Worker extends Candidate {
  readonly id: number;
  readonly allocated: { cpuMillis: number; memoryMiB: number; sandboxes: number };
  availability: Candidate['availability'];
}

export function worker(id: number, more: Partial<Omit<Worker, 'id'>> = {}): Worker {
  return {
    id,
    capacity: { cpuMillis: 1_000, memoryMiB: 1_000, sandboxes: 100 },
    allocated: { cpuMillis: 0, memoryMiB: 0, sandboxes: 0 },
    availability: 'available',
    labels: [],
    ...more,
  };
}

export const fleet = (count: number, more: Partial<Omit<Worker, 'id' | 'allocated'>> = {}): Worker[] =>
  Array.from({ length: count }, (_, id) => worker(id, more));

export function request(more: Partial<PlacementRequest> = {}): PlacementRequest {
  return {
    resources: { cpuMillis: 100, memoryMiB: 100 },
    selector: [],
    strategy: 'least-allocated',
    ...more,
  };
}

export function take({ allocated }: Worker, { resources }: PlacementRequest, sign: 1 | -1 = 1): void {
  allocated.cpuMillis += sign * resources.cpuMillis;
  allocated.memoryMiB += sign * resources.memoryMiB;
  allocated.sandboxes += sign;
}
