import { describe, expect, it } from 'vitest';
import type { WorkerReport } from '../../../src/core/model/worker-report.ts';
import { WorkerCore } from '../../../src/core/worker/worker-core.ts';
import type { Digest } from '../../../src/lib/ids.ts';

const [a, b, c] = ['a', 'b', 'c'] as unknown as readonly [Digest, Digest, Digest];
const FENCE = { epoch: 1, term: 1 };
const INCARNATION = { ms: 1, nonce: 1 };

function worker(artifacts: readonly Digest[]): { core: WorkerCore; reports: () => WorkerReport[] } {
  const core = new WorkerCore(
    {
      incarnation: INCARNATION,
      capacity: { cpuMillis: 1_000, memoryMiB: 1_000, sandboxes: 10 },
      driver: '',
      isolation: '',
      labels: [],
      heartbeatMs: 1_000,
      trialLifetimeMs: 1_000,
      fence: FENCE,
      cordoned: false,
      draining: false,
      artifacts,
    },
    (statuses) => [statuses],
  );
  const reports = (): WorkerReport[] =>
    core.takeEffects().flatMap((effect) => (effect.kind === 'report' ? [effect.report] : []));
  return { core, reports };
}

describe('a worker reports its artifacts', () => {
  it('whole in the hello, then only those that came or went', () => {
    const { core, reports } = worker([a]);
    core.onBeacon(FENCE, 0);
    expect(reports()).toMatchObject([{ kind: 'hello', artifacts: [a] }]);
    core.onArtifact(a);
    core.onArtifact(b);
    core.tick(10);
    expect(reports()).toMatchObject([{ kind: 'heartbeat', artifactsAdded: [b], artifactsRemoved: [] }]);
    core.tick(1_010);
    expect(reports()).toMatchObject([{ kind: 'heartbeat', artifactsAdded: [], artifactsRemoved: [] }]);
    core.onCommand(
      {
        fence: FENCE,
        incarnation: INCARNATION,
        seq: 1,
        command: { kind: 'forget-artifacts', digests: [a, c] },
      },
      1_020,
    );
    core.tick(1_020);
    expect(reports()).toMatchObject([{ kind: 'heartbeat', artifactsAdded: [], artifactsRemoved: [a] }]);
  });

  it('in the inventory, so that a leader that missed some learns of them', () => {
    const { core, reports } = worker([]);
    core.onBeacon(FENCE, 0);
    core.onArtifact(a);
    core.tick(10);
    reports();
    core.onNotice(
      { fence: FENCE, incarnation: INCARNATION, notice: { kind: 'send-inventory', spreadMs: 0 } },
      0,
    );
    expect(reports()).toMatchObject([{ kind: 'inventory', version: 1, artifacts: [a] }]);
  });
});

describe('a worker that is told to take nothing new', () => {
  it.each([
    ['remembers it before it says so', { on: true, drain: false }, { cordoned: true, draining: false }],
    ['and that it is to be emptied', { on: true, drain: true }, { cordoned: true, draining: true }],
    ['until it is told otherwise', { on: false, drain: true }, { cordoned: false, draining: false }],
  ])('%s', (_, told, remembered) => {
    const { core } = worker([]);
    core.onBeacon(FENCE, 0);
    core.takeEffects();
    const command = { kind: 'cordon', ...told } as const;
    core.onCommand({ fence: FENCE, incarnation: INCARNATION, seq: 1, command }, 10);
    core.tick(10);
    expect(core.takeEffects()).toMatchObject([
      { kind: 'persist', fence: FENCE, ...remembered },
      { kind: 'report', report: { kind: 'heartbeat', lastCommand: 1, ...remembered } },
    ]);
    expect([core.isCordoned, core.isDraining]).toEqual([remembered.cordoned, remembered.draining]);
  });
});
