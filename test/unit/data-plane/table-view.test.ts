/** A data plane shows its endpoint table on the peer listener, to those who hold the data planes' token. */
import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryBroker } from '../../../src/adapters/memory-bus/broker.ts';
import { EndpointReplica } from '../../../src/core/endpoints/endpoint-replica.ts';
import { SpecReplica } from '../../../src/core/dispatch/spec-replica.ts';
import { DATA_PLANE_DEFAULTS } from '../../../src/data-plane/config.ts';
import { DataPlane } from '../../../src/data-plane/data-plane.ts';
import { tableView } from '../../../src/data-plane/table-view.ts';
import { clusterId, dataPlaneId, functionUid, sandboxId, workerId } from '../../../src/lib/ids.ts';
import { limits } from '../../../src/lib/limits.ts';
import { prng } from '../../../src/lib/prng.ts';
import type { HttpFront, InboundRequest } from '../../../src/ports/http-front.ts';
import { ManualClock } from '../turn-loop/manual-clock.ts';

const fence = { epoch: 1, term: 3 };
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => silent };

function tableOf(count: number): EndpointReplica {
  const table = new EndpointReplica();
  const changes = Array.from({ length: count }, (_, i) => ({
    kind: 'put' as const,
    endpoint: {
      sandbox: sandboxId(`s${i}`),
      uid: functionUid(1),
      generation: 2,
      specIndex: 5,
      worker: workerId('w1'),
      address: `unix:/s${i}`,
      owner: undefined,
    },
  }));
  table.onBatch({ fence, seq: 1, changes }, 0);
  return table;
}

describe('the view of a table', () => {
  it('names every endpoint, its worker, and whose word it is', () => {
    expect(tableView({ endpoints: tableOf(1), specs: new SpecReplica() })).toEqual({
      ...fence,
      seq: 1,
      specIndex: 0,
      unconfirmed: 0,
      total: 1,
      endpoints: [{ sandbox: 's0', function: '', generation: 2, worker: 'w1', address: 'unix:/s0' }],
    });
  });

  it('is bounded, and says how much there is', () => {
    const { total, endpoints } = tableView({
      endpoints: tableOf(limits.tableViewRows + 1),
      specs: new SpecReplica(),
    });
    expect([total, endpoints.length]).toEqual([limits.tableViewRows + 1, limits.tableViewRows]);
  });
});

describe('the peer listener', () => {
  let handlers: ((request: InboundRequest) => void)[];

  beforeEach(async () => {
    handlers = [];
    const clock = new ManualClock();
    const front: HttpFront = {
      listen: (_address, handler) => {
        handlers.push(handler);
        return Promise.resolve({ port: 80 });
      },
      close: () => Promise.resolve(),
    };
    const id = dataPlaneId('dp1');
    const address = { host: 'dp1', port: 80 };
    const dataPlane = new DataPlane(
      {
        ...DATA_PLANE_DEFAULTS,
        cluster: clusterId('c'),
        id,
        caller: address,
        peer: address,
        peerToken: 'secret',
      },
      {
        clock,
        random: prng(1),
        bus: new MemoryBroker(clock, silent).connect('dp1'),
        front,
        peerFront: front,
        upstream: {
          send: () => ({ cancel: () => {} }),
          forget: () => {},
          close: () => Promise.resolve(),
        },
        tableFile: { load: () => Promise.resolve(undefined), save: () => Promise.resolve() },
        logger: silent,
      },
    );
    await dataPlane.start();
  });

  function get(listener: 'caller' | 'peer', headers: [string, string][]): { status: number; body: string } {
    let answer = { status: 0, body: '' };
    handlers[listener === 'caller' ? 0 : 1]?.({
      method: 'GET',
      target: '/tables',
      host: '',
      headers,
      body: undefined,
      contentLength: undefined,
      remoteAddress: 'x',
      onGone: () => {},
      respond: (status, _headers, body) => {
        answer = { status, body: body instanceof Uint8Array ? new TextDecoder().decode(body) : '' };
      },
      abort: () => {},
    });
    return answer;
  }

  const token: [string, string] = ['x-baton-peer-token', 'secret'];

  it('shows it by the token', () => {
    const { status, body } = get('peer', [token]);
    expect([status, JSON.parse(body)]).toMatchObject([200, { term: 0, total: 0, endpoints: [] }]);
  });

  it('shows it to nobody else', () => {
    expect(get('peer', []).status).toBe(401);
    expect(get('peer', [['x-baton-peer-token', 'guess']]).status).toBe(401);
    expect(get('caller', [token]).status).toBe(404);
  });

  it('takes the path of a forwarded request for the function’s own', () => {
    expect(get('peer', [token, ['x-baton-hop', '1 1000 1 1 0']]).status).toBe(421);
  });
});
