/** The little that a worker must remember across lives. */
import type { Fence } from '../core/model/fence.ts';

export interface WorkerState {
  readonly fence: Fence;
  readonly incarnationMs: number;
  readonly cordoned: boolean;
  readonly draining: boolean;
}

export interface WorkerStateFile {
  /** Undefined at the first start. @throws BatonError `io` or `damaged` */
  load(): Promise<WorkerState | undefined>;
  /** Resolves when it is durable. @throws BatonError `io` */
  save(state: WorkerState): Promise<void>;
}
