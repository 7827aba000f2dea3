/** A queue that has begun is told to whoever leads, until that leader has acknowledged it; and to the next one again. */
import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryBroker } from '../../../src/adapters/memory-bus/broker.ts';
import type { FunctionLoad } from '../../../src/core/model/data-plane-report.ts';
import { DemandSender } from '../../../src/data-plane/demand.ts';
import { LeaderLink } from '../../../src/data-plane/leader-link.ts';
import { clusterId, dataPlaneId, functionUid, type FunctionUid } from '../../../src/lib/ids.ts';
import type { Bus } from '../../../src/ports/bus.ts';
import { decodeDataPlaneMessage, encodeDemandAck } from '../../../src/wire/data-plane-codec.ts';
import { subjects } from '../../../src/wire/subjects.ts';
import { ManualClock } from '../turn-loop/manual-clock.ts';

const FN = functionUid(7);
const names = subjects(clusterId('c'));
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => silent };

let clock: ManualClock;
let broker: MemoryBroker;
let link: LeaderLink;
let demand: DemandSender;
let queued: Map<FunctionUid, number>;

beforeEach(() => {
  clock = new ManualClock();
  broker = new MemoryBroker(clock, silent);
  link = new LeaderLink(broker.connect('data-plane-dp1'), clock, names, dataPlaneId('dp1'), 100);
  queued = new Map([[FN, 1]]);
  demand = new DemandSender({
    clock,
    link,
    life: { incarnation: { ms: 1, nonce: 1 } },
    firstResendMs: 20,
    maxResendMs: 160,
    load: (uid): FunctionLoad => ({ uid, inFlight: 0, queued: queued.get(uid) ?? 0 }),
    onSent: () => undefined,
  });
});

/** Promises and turns, until nothing more happens by itself. */
async function quiet(): Promise<void> {
  for (let i = 0; i < 20; i++) {
    clock.turn();
    await Promise.resolve();
  }
}

/** @returns the functions of each demand message that the leader of `term` hears */
function lead(term: number, bus: Bus, acknowledges: boolean): FunctionUid[][] {
  const heard: FunctionUid[][] = [];
  bus.subscribe(names.lead(term, 'demand', dataPlaneId('dp1')), ({ payload, reply }) => {
    const message = decodeDataPlaneMessage(payload);
    if (message.kind !== 'demand') return;
    heard.push(message.loads.map(({ uid }) => uid));
    if (acknowledges) bus.publish(reply, encodeDemandAck({ fence: { epoch: 1, term }, seq: message.seq }));
  });
  link.see({ epoch: 1, term });
  return heard;
}

describe('demand', () => {
  it('is told once to a leader that acknowledges it', async () => {
    const heard = lead(1, broker.connect('replica-r1'), true);
    demand.add(FN);
    await quiet();
    clock.advance(1_000);
    await quiet();
    expect(heard).toEqual([[FN]]);
  });

  it('is told again, after 20, 40 and 80 ms, to one that does not', async () => {
    const heard = lead(1, broker.connect('replica-r1'), false);
    demand.add(FN);
    await quiet();
    for (const [afterMs, times] of [
      [19, 1],
      [1, 2],
      [39, 2],
      [1, 3],
      [79, 3],
      [1, 4],
    ] as const) {
      clock.advance(afterMs);
      await quiet();
      expect(heard).toHaveLength(times);
    }
  });

  it('that a leader acknowledged is told at once to the one that follows', async () => {
    lead(1, broker.connect('replica-r1'), true);
    demand.add(FN);
    await quiet();
    const heard = lead(2, broker.connect('replica-r2'), true);
    demand.onLeader([FN]);
    await quiet();
    expect(heard).toEqual([[FN]]);
  });

  it('ends with the queue', async () => {
    const heard = lead(1, broker.connect('replica-r1'), false);
    demand.add(FN);
    await quiet();
    queued.clear();
    clock.advance(1_000);
    await quiet();
    expect(heard).toHaveLength(1);
  });
});
