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

const serve = async (
  handler: (request: InboundRequest) => void = (request) => request.respond(200, [], Buffer.from('yes')),
): Promise<{ front: NodeHttpFront; port: number }> => {
  const front = new NodeHttpFront();
  fronts.push(front);
  return { front, ...(await front.listen({ host: '127.0.0.1', port: 0 }, handler)) };
};

const call = (port: number): Caller => {
  const caller = new Caller(port);
  callers.push(caller);
  return caller;
};

afterEach(async () => {
  for (const { socket } of callers.splice(0)) socket.destroy();
  await Promise.all(fronts.splice(0).map((front) => front.close(0)));
});

it('serves a request that had arrived on an idle connection and was not read yet', async () => {
  const { front, port } = await serve();
  const caller = call(port);
  caller.ask();
  await caller.answered(1);
  caller.ask();
  const closed = front.close(GRACE_MS);
  await caller.answered(2);
  await caller.ended();
  expect([caller.end, caller.isToldToLeave]).toEqual(['ended', true]);
  await closed;
});

it('serves connections that the kernel had accepted and the listener had not', async () => {
  const { front, port } = await serve();
  const many = Array.from({ length: 40 }, () => call(port));
  for (const caller of many) caller.ask();
  const closed = front.close(GRACE_MS);
  for (const caller of many) await caller.answered(1);
  await closed;
  expect(many.map(({ end }) => end)).not.toContain('reset');
  expect(many.every(({ isToldToLeave }) => isToldToLeave)).toBe(true);
});

it('serves one more request on a connection that was used just before', async () => {
  const { front, port } = await serve();
  const caller = call(port);
  caller.ask();
  await caller.answered(1);
  const closed = front.close(GRACE_MS);
  await until('a refusal', LONG_MS, never, async () => {
    const another = call(port);
    await until('an answer of the system', LONG_MS, never, () => another.socket.readyState !== 'opening');
    return another.end === 'reset';
  });
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
  let isClosed = false;
  const closed = front.close(GRACE_MS).then(() => (isClosed = true));
  const silent = call(port);
  await silent.ended();
  expect(isClosed).toBe(false);
  caller.socket.write(GET.slice(10));
  await caller.answered(2);
  await closed;
});
