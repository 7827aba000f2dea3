/** Reports of one worker. */
import type { SandboxState, SandboxStatus } from '../../../src/core/model/sandbox.ts';
import type { WorkerHeartbeat, WorkerInventory } from '../../../src/core/model/worker-report.ts';
import { functionUid, sandboxId } from '../../../src/lib/ids.ts';

export function status(
  id: string,
  version: number,
  state: SandboxState = 'ready',
  more: Partial<SandboxStatus> = {},
): SandboxStatus {
  return {
    id: sandboxId(id),
    uid: functionUid(7),
    generation: 1,
    specIndex: 8,
    state,
    version,
    address: state === 'ready' || state === 'draining' ? `unix:/run/${id}` : '',
    pid: 0,
    trial: false,
    owner: undefined,
    reason: state === 'gone' ? 'drained' : '',
    log: '',
    startStages: [],
    ...more,
  };
}

export function heartbeat(
  sinceVersion: number,
  version: number,
  changes: readonly SandboxStatus[] = [],
  more: Partial<WorkerHeartbeat> = {},
): WorkerHeartbeat {
  return {
    kind: 'heartbeat',
    incarnation: { ms: 1_000, nonce: 1 },
    seq: 1,
    natsServer: 'nats-1',
    capacity: { cpuMillis: 4_000, memoryMiB: 8_192, sandboxes: 100 },
    cordoned: false,
    draining: false,
    driver: 'simulated',
    isolation: 'none',
    labels: [],
    fence: { epoch: 1, term: 1 },
    lastCommand: 0,
    sinceVersion,
    version,
    changes,
    artifactsAdded: [],
    artifactsRemoved: [],
    ...more,
  };
}

export function inventory(
  version: number,
  sandboxes: readonly SandboxStatus[],
  more: Partial<WorkerInventory> = {},
): WorkerInventory {
  return {
    kind: 'inventory',
    incarnation: { ms: 1_000, nonce: 1 },
    version,
    part: 0,
    parts: 1,
    sandboxes,
    artifacts: [],
    ...more,
  };
}
