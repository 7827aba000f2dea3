import { Agent, request, type IncomingMessage, type RequestListener } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { DrainingServer } from '../../../src/adapters/runtimes/process/draining-server.ts';
import { temporaryDirectory } from './fixtures.ts';

async function serving(listener: RequestListener): Promise<{ server: DrainingServer; socketPath: string }> {
  const server = new DrainingServer(listener);
  const socketPath = join(temporaryDirectory(), 's');
  await new Promise<void>((ready) => server.http.listen(socketPath, ready));
  onTestFinished(() => server.http.closeAllConnections());
  return { server, socketPath };
}

function call(socketPath: string, agent?: Agent): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request({ socketPath, agent }, resolve).once('error', reject).end();
  });
}

async function bytesOf(answer: IncomingMessage): Promise<number> {
  let bytes = 0;
  for await (const chunk of answer) bytes += (chunk as Buffer).length;
  return bytes;
}

describe('a drain', () => {
  test('lets the running request finish, and takes no new connection', async () => {
    let finish: () => void = () => undefined;
    const { server, socketPath } = await serving((_incoming, response) => {
      finish = () => response.end('done');
      response.write('begun ');
    });
    const answer = await call(socketPath);
    const over = vi.fn<() => void>();
    void server.drain().then(over);
    await expect(call(socketPath)).rejects.toThrow(/ENOENT|ECONNREFUSED/);
    expect(over).not.toHaveBeenCalled();
    finish();
    expect(await bytesOf(answer)).toBe('begun done'.length);
    await vi.waitFor(() => expect(over).toHaveBeenCalledOnce());
  });

  test('cuts nothing off a response that is made but not yet written', async () => {
    const size = 16_000_000;
    const { server, socketPath } = await serving((_incoming, response) => response.end(Buffer.alloc(size)));
    const answer = await call(socketPath);
    answer.pause();
    const drained = server.drain();
    // Several turns in which an eager server would close the connection.
    for (let i = 0; i < 10; i++) await new Promise((next) => setImmediate(next));
    expect(await bytesOf(answer)).toBe(size);
    await drained;
  });

  test('waits for no connection without a request', async () => {
    const { server, socketPath } = await serving((_incoming, response) => response.end('x'));
    const agent = new Agent({ keepAlive: true });
    onTestFinished(() => agent.destroy());
    await bytesOf(await call(socketPath, agent));
    const silent = connect(socketPath);
    await new Promise((ready) => silent.once('connect', ready));
    const closed = new Promise((done) => silent.once('close', done));
    await server.drain();
    await closed;
    expect(silent.destroyed).toBe(true);
  });

  test('tells a caller whose request came in before it that the connection ends', async () => {
    const { server, socketPath } = await serving((_incoming, response) => {
      void server.drain();
      // Two turns on, the idle connections are closed; this one is not idle.
      setTimeout(() => response.end('x'), 20);
    });
    const agent = new Agent({ keepAlive: true });
    onTestFinished(() => agent.destroy());
    const answer = await call(socketPath, agent);
    expect(answer.headers.connection).toBe('close');
    expect(await bytesOf(answer)).toBe(1);
  });
});
