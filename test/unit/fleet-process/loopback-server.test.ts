/** Simulated sandboxes behind one socket: each at an address of its own, and nobody answers for another. */
import { get } from 'node:http';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { LoopbackServer } from '../../../src/adapters/runtimes/simulated/loopback-server.ts';
import { startRequest } from '../runtimes/fixtures.ts';

let server: LoopbackServer;
beforeEach(async () => {
  server = await LoopbackServer.listen();
});
afterEach(() => server.close());

/** The sandbox that answers; undefined when the connection is refused or cut. */
function ask(address: string): Promise<string | undefined> {
  const [, host = '', port = ''] = address.split(':');
  return new Promise((resolve) => {
    get({ host, port, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('end', () => resolve((JSON.parse(text) as { sandbox: string }).sandbox));
    }).on('error', () => resolve(undefined));
  });
}

it('answers as the sandbox that was called', async () => {
  const runtime = server.share();
  const [a, b] = await Promise.all(['fn-1', 'fn-2'].map((id) => runtime.open(startRequest(id))));
  expect(a).not.toBe(b);
  expect([await ask(a ?? ''), await ask(b ?? '')]).toEqual(['fn-1', 'fn-2']);
});

it('cuts off what has ended, and uses its address for nobody else', async () => {
  const runtime = server.share();
  const a = await runtime.open(startRequest('fn-1'));
  runtime.close(startRequest('fn-1').sandbox);
  const b = await runtime.open(startRequest('fn-2'));
  expect([await ask(a), a === b]).toEqual([undefined, false]);
});

it('ends one worker’s sandboxes and not its neighbour’s', async () => {
  const [one, other] = [server.share(), server.share()];
  const [a, b] = [await one.open(startRequest('fn-1')), await other.open(startRequest('fn-2'))];
  await one.closeAll();
  expect([await ask(a), await ask(b)]).toEqual([undefined, 'fn-2']);
});
