/** What a worker is made of: its settings and its ports. */
import type { ClusterId, WorkerId } from '../lib/ids.ts';
import type { Label } from '../core/model/function.ts';
import type { WorkerCapacity } from '../core/model/worker-report.ts';
import type { Bus } from '../ports/bus.ts';
import type { SandboxRuntime } from '../ports/sandbox-runtime.ts';
import type { Clock, Logger, Random } from '../ports/system.ts';
import type { UnpackedArtifacts } from '../ports/unpacked-artifacts.ts';
import type { WorkerStateFile } from '../ports/worker-state.ts';

export interface WorkerConfig {
  readonly cluster: ClusterId;
  readonly id: WorkerId;
  readonly capacity: WorkerCapacity;
  readonly labels: readonly Label[];
  readonly heartbeatMs: number;
  readonly trialLifetimeMs: number;
}

export const workerDefaults: Omit<WorkerConfig, 'cluster' | 'id' | 'capacity'> = {
  labels: [],
  heartbeatMs: 1_000,
  trialLifetimeMs: 60_000,
};

export interface WorkerPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly bus: Bus;
  readonly runtime: SandboxRuntime;
  readonly artifacts: UnpackedArtifacts;
  readonly state: WorkerStateFile;
  readonly logger: Logger;
  /** Tells two processes apart that claim one life. */
  readonly nonce: number;
  /** The worker cannot go on: its disk failed, or another process lives under its id. */
  readonly onFatal: (error: Error) => void;
}
