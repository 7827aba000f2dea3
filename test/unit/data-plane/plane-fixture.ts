/** A data plane on a memory bus, with a leader that the test speaks for, and sandboxes that do as they are told. */
import { MemoryBroker } from '../../../src/adapters/memory-bus/broker.ts';
import type { LookupReply } from '../../../src/core/model/data-plane-report.ts';
import type { FunctionRecord } from '../../../src/core/model/function.ts';
import { DATA_PLANE_DEFAULTS } from '../../../src/data-plane/config.ts';
import { DataPlane } from '../../../src/data-plane/data-plane.ts';
import { clusterId, dataPlaneId, functionUid, replicaId } from '../../../src/lib/ids.ts';
import { prng } from '../../../src/lib/prng.ts';
import type { Bus } from '../../../src/ports/bus.ts';
import type {
  Exchange,
  Upstream,
  UpstreamFailure,
  UpstreamHandlers,
  UpstreamRequest,
} from '../../../src/ports/upstream.ts';
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
export const ant = (uid: number): FunctionRecord => record({ uid, name: 'ant' });

/** Say nothing; the first few may fail. */
class Sandboxes implements Upstream {
  readonly sent: string[] = [];
  failures: UpstreamFailure[] = [];

  send({ address }: UpstreamRequest, handlers: UpstreamHandlers): Exchange {
    this.sent.push(address);
    const failure = this.failures.shift();
    if (failure !== undefined)
      queueMicrotask(() => {
        handlers.onFailure(failure, new Error(failure));
        handlers.onDone(true);
      });
    return { cancel: () => undefined };
  }

  forget(): void {}

  close(): Promise<void> {
    return Promise.resolve();
  }
}

export class Plane {
  readonly sandboxes: Sandboxes = new Sandboxes();
  readonly answers: SimAnswer[] = [];
  /** What the leader says of the name. */
  registered: FunctionRecord | undefined;
  readonly #clock: ManualClock = new ManualClock();
  readonly #front: SimFront = new SimFront();
  readonly #broker: MemoryBroker = new MemoryBroker(this.#clock, silent);
  readonly #leader: Bus = this.#broker.connect('replica-r1');

  /** It knows the function `ant(7)`, which has no sandbox. */
  static async open(): Promise<Plane> {
    const plane = new Plane();
    plane.#answerPulls();
    const address = { host: '127.0.0.1', port: 0 };
    const dataPlane = new DataPlane(
      { ...DATA_PLANE_DEFAULTS, cluster: CLUSTER, id: ID, caller: address, peer: address, peerToken: 't' },
      {
        clock: plane.#clock,
        random: { ...prng(1), fork: (name) => prng(name) },
        bus: plane.#broker.connect('data-plane-dp-1'),
        front: plane.#front,
        peerFront: new SimFront(),
        upstream: plane.sandboxes,
        tableFile: { load: () => Promise.resolve(undefined), save: () => Promise.resolve() },
        logger: silent,
      },
    );
    await dataPlane.start();
    const beacon = {
      fence: FENCE,
      endpointSeq: 0,
      digest: { high: 0, low: 0 },
      specIndex: 8,
      complete: true,
    };
    plane.#leader.publish(names.beacon(replicaId('r1')), encodeBeacon({ ...beacon, http: '', grpc: '' }));
    await plane.quiet();
    return plane;
  }

  /** Promises and turns, until nothing more happens by itself. */
  async quiet(): Promise<void> {
    for (let i = 0; i < 40; i++) {
      this.#clock.turn();
      await Promise.resolve();
    }
  }

  call(): void {
    this.#front.send('/function/ant', [], (answer) => this.answers.push(answer));
  }

  /** The function is deleted; these are put. */
  publish(put: FunctionRecord[]): void {
    this.#leader.publish(
      names.specs(replicaId('r1')),
      encodeSpecBatch({ fence: FENCE, prevSpecIndex: 8, specIndex: 20, put, deleted: [functionUid(7)] }),
    );
  }

  /** A sandbox of this function. */
  start(uid: number): void {
    this.#leader.publish(
      names.endpoints(replicaId('r1')),
      encodeEndpointBatch({
        fence: FENCE,
        seq: 1,
        changes: [{ kind: 'put', endpoint: endpoint(`s-${uid}`, { uid }) }],
      }),
    );
  }

  #answerPulls(): void {
    this.#leader.subscribe(names.leadInbox(FENCE.term), ({ subject, payload, reply }) => {
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
          return this.#leader.publish(
            reply,
            encodePullReply({ fence: FENCE, bound: 1, chunk, chunks: 1, bytes, heard: undefined }),
          );
        }
        case 'lookup': {
          const answer: LookupReply = { fence: FENCE, specIndex: 20, record: this.registered };
          return this.#leader.publish(reply, encodeLookupReply(answer));
        }
        default:
      }
    });
  }
}
