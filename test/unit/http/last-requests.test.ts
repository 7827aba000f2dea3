/** A listener that ends in good order: nothing that had reached it is lost, and nobody is kept. */
import { connect, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { NodeHttpFront } from '../../../src/adapters/http/node-front.ts';
import type { InboundRequest } from '../../../src/ports/http-front.ts';
import { until } from '../../../chaos/until.ts';

const GRACE_MS = 10_000;
const LONG_MS = 5_000;
const GET = 'GET /a HTTP/1.1\r\nhost: a\r\n\r\n';
const never = new AbortController().signal;

class Caller {
  text = '';
  end: 'open' | 'ended' | 'reset' = 'open';
  readonly socket: Socket;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (chunk) => (this.text += chunk.toString()));
    this.socket.on('error', () => (this.end = 'reset'));
    this.socket.on('close', () => {
      if (this.end === 'open') this.end = 'ended';
    });
  }

  get answers(): number {
    return this.text.split('HTTP/1.1 200').length - 1;
  }

  get isToldToLeave(): boolean {
    return this.text.toLowerCase().includes('connection: close');
  }

  ask(): void {
    this.socket.write(GET);
  }

  async answered(count: number): Promise<void> {
    await until(`answer ${count}`, LONG_MS, never, () => this.answers === count);
  }

  async ended(): Promise<void> {
    await until('the end', LONG_MS, never, () => this.end !== 'open');
  }
}

const callers: Caller[] = [];
const fronts: NodeHttpFront[] = [];

const yes = (request: InboundRequest): void => request.respond(200, [], Buffer.from('yes'));

const serve = async (handler = yes, lastCallMs = 100): Promise<{ front: NodeHttpFront; port: number }> => {
  const front = new NodeHttpFront({ lastCallMs });
  fronts.push(front);
  return { front, ...(await front.listen({ host: '127.0.0.1', port: 0 }, handler)) };
};

const call = (port: number): Caller => {
  const caller = new Caller(port);
  callers.push(caller);
  return caller;
};

/** Nobody can come any more. */
const shut = (port: number): Promise<boolean> =>
  until('a refusal', LONG_MS, never, async () => {
    const another = call(port);
    await until('an answer of the system', LONG_MS, never, () => another.socket.readyState !== 'opening');
    another.socket.destroy();
    return another.end === 'reset';
  });

afterEach(async () => {
  for (const { socket } of callers.splice(0)) socket.destroy();
  await Promise.all(fronts.splice(0).map((front) => front.close(0)));
});

it('serves a request that had arrived on an idle connection and was not read yet', async () => {
  const { front, port } = await serve(yes, 0);
  const caller = call(port);
  caller.ask();
  await caller.answered(1);
  caller.ask();
  const closed = front.close(GRACE_MS);
  await caller.answered(2);
  await closed;
  await caller.ended();
  expect(caller.end).toBe('ended');
});

it('serves connections that the kernel had accepted and the listener had not', async () => {
  const { front, port } = await serve();
  const many = Array.from({ length: 40 }, () => call(port));
  for (const caller of many) caller.ask();
  await new Promise<void>((resolve) => process.nextTick(resolve));
  const closed = front.close(GRACE_MS);
  await closed;
  for (const caller of many) await caller.ended();
  expect(new Set(many.map(({ end, answers }) => `${end}, ${answers}`))).toEqual(new Set(['ended, 1']));
});

it('serves one more request on a connection that was used just before', async () => {
  const { front, port } = await serve(yes, LONG_MS);
  const caller = call(port);
  caller.ask();
  await caller.answered(1);
  const closed = front.close(GRACE_MS);
  await shut(port);
  caller.ask();
  await caller.answered(2);
  await closed;
  expect([caller.end, caller.isToldToLeave]).toEqual(['ended', true]);
});

it('keeps nobody who is silent: not one that was just used, not one that never asked', async () => {
  const { front, port } = await serve();
  const used = call(port);
  used.ask();
  await used.answered(1);
  const silent = call(port);
  await until('a connection', LONG_MS, never, () => silent.socket.readyState === 'open');
  await front.close(GRACE_MS);
  await used.ended();
  await silent.ended();
  expect([used.end, silent.end]).toEqual(['ended', 'ended']);
});

it('lets what runs finish, and breaks off what outlives the grace', async () => {
  const running: InboundRequest[] = [];
  const { front, port } = await serve((request) => void running.push(request));
  const [first, second] = [call(port), call(port)];
  first.ask();
  await until('the first', LONG_MS, never, () => running.length === 1);
  second.ask();
  await until('both', LONG_MS, never, () => running.length === 2);
  const closed = front.close(300);
  await shut(port);
  running[0]?.respond(200, [], Buffer.from('late'));
  await first.answered(1);
  await closed;
  await second.ended();
  expect([first.isToldToLeave, second.answers]).toEqual([true, 0]);
});

it('waits for a request whose head has begun', async () => {
  const { front, port } = await serve();
  const caller = call(port);
  caller.ask();
  await caller.answered(1);
  caller.socket.write(GET.slice(0, 10));
  const silent = call(port);
  await until('a connection', LONG_MS, never, () => silent.socket.readyState === 'open');
  let isClosed = false;
  const closed = front.close(GRACE_MS).then(() => (isClosed = true));
  await silent.ended();
  expect([silent.end, isClosed]).toEqual(['ended', false]);
  caller.socket.write(GET.slice(10));
  await caller.answered(2);
  await closed;
});

it('closes what only ever sends what is no request', async () => {
  const { front, port } = await serve();
  const caller = call(port);
  caller.ask();
  await caller.answered(1);
  caller.socket.write('\r\n');
  await front.close(GRACE_MS);
  await caller.ended();
  expect(caller.end).toBe('ended');
});

it('answers requests that came in one piece, and tells only with the last answer', async () => {
  const waiting: InboundRequest[] = [];
  const { front, port } = await serve((request) => void waiting.push(request));
  const caller = call(port);
  caller.socket.write(GET + GET);
  await until('both', LONG_MS, never, () => waiting.length === 2);
  const closed = front.close(GRACE_MS);
  await shut(port);
  waiting[0]?.respond(200, [], Buffer.from('one'));
  await caller.answered(1);
  expect(caller.isToldToLeave).toBe(false);
  waiting[1]?.respond(200, [], Buffer.from('two'));
  await caller.answered(2);
  expect(caller.isToldToLeave).toBe(true);
  await closed;
});
