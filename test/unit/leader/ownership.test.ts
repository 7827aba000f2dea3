/** Who owns a function with a hard limit is known together with where to reach it. */
import { describe, expect, it } from 'vitest';
import type { DataPlaneReport } from '../../../src/core/model/data-plane-report.ts';
import type { Incarnation } from '../../../src/core/model/fence.ts';
import { dataPlaneId, type FunctionUid } from '../../../src/lib/ids.ts';
import { Stage } from './stage.ts';

const dp2 = dataPlaneId('dp2');
const FIRST_LIFE: Incarnation = { ms: 1, nonce: 2 };
const SECOND_LIFE: Incarnation = { ms: 2, nonce: 2 };
const OLD_LEASES_MS = 4_000;

function queues(stage: Stage, incarnation: Incarnation, uid: FunctionUid): void {
  const loads = [{ uid, inFlight: 0, queued: 5 }];
  stage.leader.dataPlaneMessage(dp2, { kind: 'demand', incarnation, seq: 1, loads }, stage.nowMs);
}

function reports(stage: Stage, incarnation: Incarnation, uid: FunctionUid, peer: string): void {
  const report: DataPlaneReport = {
    kind: 'report',
    incarnation,
    seq: 1,
    natsServer: '',
    caller: 'http://dp2',
    peer,
    fence: { epoch: 1, term: 1 },
    endpointSeq: stage.leader.endpointSeq,
    specIndex: 1,
    loads: [{ uid, inFlight: 0, queued: 5 }],
    withdrawing: [],
    refused: [],
    condemned: [],
    owned: [],
  };
  stage.leader.dataPlaneMessage(dp2, report, stage.nowMs);
}

function peers(stage: Stage): string[] {
  return stage.leader.endpointSnapshot().owners.map(({ owner }) => owner.peer);
}

describe('the owner of a function with a hard limit', () => {
  it('is no data plane that has said what waits there and not yet where it is', () => {
    const stage = new Stage();
    stage.worker('w1');
    stage.run(OLD_LEASES_MS);
    const { uid } = stage.put('hard', 0, { containerConcurrency: 1 });
    queues(stage, FIRST_LIFE, uid);
    stage.run(50);
    expect(peers(stage)).toEqual(['dp1:1']);
  });

  it('is where it has most requests, once it has said where that is', () => {
    const stage = new Stage();
    stage.worker('w1');
    stage.run(OLD_LEASES_MS);
    const { uid } = stage.put('hard', 0, { containerConcurrency: 1 });
    reports(stage, FIRST_LIFE, uid, 'dp2:1');
    stage.run(50);
    expect(peers(stage)).toEqual(['dp2:1']);
  });

  it('is not looked for where a data plane was before it was restarted', () => {
    const stage = new Stage();
    stage.worker('w1');
    stage.run(OLD_LEASES_MS);
    const { uid } = stage.put('hard', 0, { containerConcurrency: 1 });
    reports(stage, FIRST_LIFE, uid, 'dp2:1');
    stage.run(50);
    queues(stage, SECOND_LIFE, uid);
    stage.run(1_000);
    expect(peers(stage)).toEqual(['dp1:1']);
    expect(stage.leader.dataPlanes().map(({ id, peer }) => ({ id, peer }))).toContainEqual({
      id: 'dp2',
      peer: '',
    });
  });
});
