/** What people are told of a reconstruction: its phase, and when each stage was reached. */
import { describe, expect, it } from 'vitest';
import { dataPlaneId, functionUid, sandboxId, workerId } from '../../../src/lib/ids.ts';
import { Stage, SUSPICION_MS } from './stage.ts';

/** A data plane says that it still dispatches to a sandbox on a worker that nobody has heard yet. */
function names(stage: Stage, worker: string): void {
  const endpoint = {
    sandbox: sandboxId(`kept-on-${worker}`),
    uid: functionUid(1),
    generation: 1,
    specIndex: 1,
    worker: workerId(worker),
    address: 'unix:/kept',
    owner: undefined,
  };
  stage.leader.dataPlaneMessage(
    dataPlaneId('dp1'),
    { kind: 'held', incarnation: { ms: 1, nonce: 1 }, part: 0, parts: 1, endpoints: [endpoint], workers: [] },
    stage.nowMs,
  );
}

describe('a reconstruction', () => {
  it('is announced, then knows workers, then is reconciled, and remembers when', () => {
    const stage = new Stage();
    stage.run(50);
    expect(stage.leader.reconstruction()).toEqual({
      phase: 'announced',
      ageMs: 50,
      knownWorkers: 0,
      reportedWorkers: 0,
      firstWorkerMs: undefined,
      allReportedMs: undefined,
      reconciledMs: undefined,
    });
    stage.worker('w1');
    stage.run(100);
    expect(stage.leader.reconstruction()).toMatchObject({
      phase: 'known-workers',
      knownWorkers: 1,
      reportedWorkers: 1,
      firstWorkerMs: 50,
      allReportedMs: 50,
    });
    stage.run(2 * SUSPICION_MS);
    const { phase, firstWorkerMs, reconciledMs = 0 } = stage.leader.reconstruction();
    expect([phase, firstWorkerMs]).toEqual(['reconciled', 50]);
    expect(reconciledMs, 'not before every suspicion could have run out').toBeGreaterThanOrEqual(
      SUSPICION_MS,
    );
  });

  it('has not heard all workers while a data plane names one that did not report', () => {
    const stage = new Stage();
    stage.worker('w1');
    names(stage, 'w2');
    stage.run(100);
    expect(stage.leader.reconstruction()).toMatchObject({
      knownWorkers: 2,
      reportedWorkers: 1,
      allReportedMs: undefined,
    });
    stage.worker('w2');
    expect(stage.leader.reconstruction()).toMatchObject({ reportedWorkers: 2, allReportedMs: 100 });
  });

  it('knows a worker by its name alone, and waits for it as for any other', () => {
    const stage = new Stage();
    stage.worker('w1');
    stage.leader.dataPlaneMessage(
      dataPlaneId('dp1'),
      {
        kind: 'held',
        incarnation: { ms: 1, nonce: 1 },
        part: 0,
        parts: 1,
        endpoints: [],
        workers: [workerId('w2')],
      },
      stage.nowMs,
    );
    stage.run(100);
    expect(stage.leader.reconstruction()).toMatchObject({ knownWorkers: 2, reportedWorkers: 1 });
  });

  it('takes an endpoint away that a data plane still names when its worker has said that it is not there', () => {
    const stage = new Stage();
    stage.worker('w1');
    stage.run(100);
    stage.batches.length = 0;
    names(stage, 'w1');
    stage.run(25);
    expect(stage.leader.isReconciled).toBe(false);
    expect(stage.batches.flat()).toEqual(['withdraw']);
  });

  it('says that not all reported when a known worker never did, and is reconciled all the same', () => {
    const stage = new Stage();
    stage.worker('w1');
    names(stage, 'w2');
    stage.reconciled();
    expect(stage.leader.reconstruction()).toMatchObject({
      phase: 'reconciled',
      knownWorkers: 2,
      reportedWorkers: 1,
      allReportedMs: undefined,
    });
  });

  it('is over when it is over: a worker that comes later changes none of its times', () => {
    const stage = new Stage();
    stage.worker('w1');
    stage.reconciled();
    const before = stage.leader.reconstruction();
    stage.worker('w2');
    const { ageMs } = stage.leader.reconstruction();
    expect(stage.leader.reconstruction()).toEqual({ ...before, ageMs, knownWorkers: 2, reportedWorkers: 2 });
  });

  it('begins again with the next leader', () => {
    const stage = new Stage();
    stage.worker('w1');
    stage.reconciled();
    stage.failover();
    stage.run(25);
    expect(stage.leader.reconstruction()).toMatchObject({
      phase: 'known-workers',
      ageMs: 25,
      firstWorkerMs: 0,
      allReportedMs: 0,
      reconciledMs: undefined,
    });
  });
});
