/** A function is deleted while requests wait for it: what they are told is about its name, and a leader's word. */
import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryBroker } from '../../../src/adapters/memory-bus/broker.ts';
import type { LookupReply } from '../../../src/core/model/data-plane-report.ts';
import type { FunctionRecord } from '../../../src/core/model/function.ts';
import { DATA_PLANE_DEFAULTS } from '../../../src/data-plane/config.ts';
import { DataPlane } from '../../../src/data-plane/data-plane.ts';
import { clusterId, dataPlaneId, functionUid, replicaId } from '../../../src/lib/ids.ts';
import { prng } from '../../../src/lib/prng.ts';
import type { Bus } from '../../../src/ports/bus.ts';
import type { Exchange, Upstream, UpstreamRequest } from '../../../src/ports/upstream.ts';
import {
  encodeBeacon,
  encodeEndpointBatch,
  encodeEndpointSnapshot,
  encodeSpecBatch,
  encodeSpecSnapshot,
} from '../../../src/wire/broadcast-codec.ts';
import { decodePull, encodeLookupReply, encodePullReply } from '../../../src/wire/data-plane-codec.ts';
import { kindOf, subjects } from '../../../src/wire/subjects.ts';
import { SimFront, type SimAnswer } from '../../sim/sim-http.ts';
import { endpoint, record } from '../dispatch/fixtures.ts';
import { ManualClock } from '../turn-loop/manual-clock.ts';

const CLUSTER = clusterId('c');
const ID = dataPlaneId('dp-1');
const FENCE = { epoch: 1, term: 1 };
const names = subjects(CLUSTER);
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => silent };

/** Under one name, whatever the uid. */
const ant = (uid: number): FunctionRecord => record({ uid, name: 'ant' });

class Sandboxes implements Upstream {
  readonly sent: string[] = [];

  send({ address }: UpstreamRequest): Exchange {
    this.sent.push(address);
    return { cancel: () => undefined };
  }

  forget(): void {}

  close(): Promise<void> {
    return Promise.resolve();
  }
}

let clock: ManualClock;
let leader: Bus;
let front: SimFront;
let sandboxes: Sandboxes;
/** What the leader says of the name. */
let registered: FunctionRecord | undefined;
let answers: SimAnswer[];

/** Promises and turns, until nothing more happens by itself. */
async function quiet(): Promise<void> {
  for (let i = 0; i < 20; i++) {
    clock.turn();
    await Promise.resolve();
  }
}

function answerPulls(): void {
  leader.subscribe(names.leadInbox(FENCE.term), ({ subject, payload, reply }) => {
    switch (kindOf(subject)) {
      case 'pull': {
        const { stream, chunk } = decodePull(payload);
        const bytes =
          stream === 'specs'
            ? encodeSpecSnapshot({ fence: FENCE, specIndex: 8, functions: [ant(7)] })
            : encodeEndpointSnapshot({
                fence: FENCE,
                seq: 0,
                complete: true,
                endpoints: [],
                owners: [],
                withdrawn: [],
              });
        return leader.publish(
          reply,
          encodePullReply({ fence: FENCE, bound: 1, chunk, chunks: 1, bytes, heard: undefined }),
        );
      }
      case 'lookup': {
        const answer: LookupReply = { fence: FENCE, specIndex: 20, record: registered };
        return leader.publish(reply, encodeLookupReply(answer));
      }
      default:
    }
  });
}

beforeEach(async () => {
  clock = new ManualClock();
  const broker = new MemoryBroker(clock, silent);
  leader = broker.connect('replica-r1');
  front = new SimFront();
  sandboxes = new Sandboxes();
  answers = [];
  answerPulls();
  const address = { host: '127.0.0.1', port: 0 };
  const plane = new DataPlane(
    { ...DATA_PLANE_DEFAULTS, cluster: CLUSTER, id: ID, caller: address, peer: address, peerToken: 't' },
    {
      clock,
      random: { ...prng(1), fork: (name) => prng(name) },
      bus: broker.connect('data-plane-dp-1'),
      front,
      peerFront: new SimFront(),
      upstream: sandboxes,
      tableFile: { load: () => Promise.resolve(undefined), save: () => Promise.resolve() },
      logger: silent,
    },
  );
  await plane.start();
  const beacon = { fence: FENCE, endpointSeq: 0, digest: { high: 0, low: 0 }, specIndex: 8, complete: true };
  leader.publish(names.beacon(replicaId('r1')), encodeBeacon({ ...beacon, http: '', grpc: '' }));
  await quiet();
  front.send('/function/ant', [], (answer) => answers.push(answer));
  await quiet();
  expect([answers, sandboxes.sent], 'it waits for a sandbox').toEqual([[], []]);
});

const publish = (put: FunctionRecord[]): void =>
  leader.publish(
    names.specs(replicaId('r1')),
    encodeSpecBatch({ fence: FENCE, prevSpecIndex: 8, specIndex: 20, put, deleted: [functionUid(7)] }),
  );

const start = (uid: number): void =>
  leader.publish(
    names.endpoints(replicaId('r1')),
    encodeEndpointBatch({
      fence: FENCE,
      seq: 1,
      changes: [{ kind: 'put', endpoint: endpoint(`s-${uid}`, { uid }) }],
    }),
  );

describe('a request that waits for a function that is deleted', () => {
  it('is answered 404 when a leader says that there is none of this name', async () => {
    registered = undefined;
    publish([]);
    await quiet();
    expect(answers.map(({ status, reason }) => [status, reason])).toEqual([[404, 'unknown-function']]);
  });

  it('goes to the function that has its name now, as the same news says', async () => {
    publish([ant(19)]);
    await quiet();
    start(19);
    await quiet();
    expect([answers, sandboxes.sent]).toEqual([[], ['unix:/run/s-19.sock']]);
  });

  it('goes to the function that has its name now, as a leader says when it is asked', async () => {
    registered = ant(30);
    publish([]);
    await quiet();
    start(30);
    await quiet();
    expect([answers, sandboxes.sent]).toEqual([[], ['unix:/run/s-30.sock']]);
  });
});
