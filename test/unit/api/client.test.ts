/** What the client does by itself when a replica's answer leaves the outcome open. */
import { Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { ApiClient } from '../../../src/api/client.ts';
import { toGrpc } from '../../../src/api/errors.ts';
import { BatonError } from '../../../src/lib/errors.ts';
import {
  BatonService,
  DeleteFunctionReply,
  PutFunctionReply,
  Replica,
  type DeleteFunctionRequest,
  type PutFunctionRequest,
} from '../../../src/wire/gen/baton/api/v1/api.ts';

const EMPTY = new Uint8Array();
const overtaken = new BatonError('outcome-unknown', 'leadership changed');
const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A replica that answers mutations with these errors, one after the other, and then with success. */
async function replica(
  errors: BatonError[],
  timeoutMs = 5_000,
): Promise<{ client: ApiClient; ids: string[] }> {
  const ids: string[] = [];
  const mutation =
    (reply: object) =>
    (
      { request }: ServerUnaryCall<PutFunctionRequest | DeleteFunctionRequest, unknown>,
      done: sendUnaryData<unknown>,
    ): void => {
      ids.push(request.requestId);
      const error = errors.shift();
      if (error === undefined) done(null, reply);
      else done(toGrpc(error));
    };
  const server = new Server();
  server.addService(
    {
      getReplica: BatonService.getReplica,
      putFunction: BatonService.putFunction,
      deleteFunction: BatonService.deleteFunction,
    },
    {
      getReplica: (_call: unknown, done: sendUnaryData<unknown>) =>
        done(null, { ...Replica.decode(EMPTY), commitIndex: 9 }),
      putFunction: mutation({ ...PutFunctionReply.decode(EMPTY), uid: 3, generation: 1 }),
      deleteFunction: mutation({ ...DeleteFunctionReply.decode(EMPTY), uid: 3 }),
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const client = new ApiClient({ servers: [`127.0.0.1:${port}`], token: undefined, timeoutMs });
  closing.push(
    () => client.close(),
    () => server.forceShutdown(),
  );
  return { client, ids };
}

const put = (client: ApiClient): Promise<unknown> =>
  client.putFunction(
    { name: 'hello', artifact: 'a'.repeat(64), entry: 'index.mjs' },
    { ifGeneration: undefined, trial: false },
  );

describe('a mutation that leadership changed under', () => {
  it('is asked for again under the same request id', async () => {
    const { client, ids } = await replica([overtaken, overtaken]);
    await expect(put(client)).resolves.toMatchObject({ uid: 3, generation: 1 });
    expect(ids).toHaveLength(3);
    expect(new Set(ids).size).toBe(1);
  });

  it('may be a delete', async () => {
    const { client, ids } = await replica([overtaken]);
    await expect(client.deleteFunction('hello')).resolves.toMatchObject({ uid: 3 });
    expect(new Set(ids).size).toBe(1);
    expect(ids).toHaveLength(2);
  });

  it('is not asked for without end', async () => {
    const { client } = await replica(
      Array.from({ length: 100 }, () => overtaken),
      120,
    );
    await expect(put(client)).rejects.toMatchObject({
      code: expect.stringMatching(/outcome-unknown|timeout/),
    });
  });
});

describe('a leader that is too young to tell', () => {
  const young = new BatonError('not-synced', 'this leader has not heard of worker w1 yet', {
    hint: 'try again',
  });

  it('is asked again', async () => {
    const { client, ids } = await replica([young, young]);
    await expect(put(client)).resolves.toMatchObject({ uid: 3 });
    expect(ids).toHaveLength(3);
  });

  it('is quoted when the time is up', async () => {
    const { client } = await replica(
      Array.from({ length: 100 }, () => young),
      120,
    );
    await expect(put(client)).rejects.toMatchObject({ code: 'not-synced', message: young.message });
  });
});

it('a mutation that is refused is not asked for again', async () => {
  const { client, ids } = await replica([new BatonError('conflict', 'generation 4 is there')]);
  await expect(put(client)).rejects.toMatchObject({ code: 'conflict' });
  expect(ids).toHaveLength(1);
});
