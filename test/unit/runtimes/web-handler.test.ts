import { createServer, request, Agent, type IncomingMessage, type RequestOptions } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  findHandler,
  FUNCTION_ERROR,
  sendFailure,
  sendResponse,
  toRequest,
} from '../../../src/adapters/runtimes/process/web-handler.ts';

type Fetch = (request: Request) => unknown;

/** A server around a handler, as the shim has it; returns its port. */
async function serving(handler: Fetch): Promise<number> {
  const server = createServer((incoming, response) => {
    const answer = async (): Promise<void> => {
      try {
        await sendResponse(await handler(toRequest(incoming, response)), response);
      } catch (error) {
        sendFailure(error, response);
      }
    };
    void answer();
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

interface Answer {
  readonly head: IncomingMessage;
  readonly body: string;
}

function head(options: RequestOptions, body?: Buffer | string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', ...options }, resolve)
      .once('error', reject)
      .end(body);
  });
}

async function call(options: RequestOptions, body?: Buffer | string): Promise<Answer> {
  const answer = await head(options, body);
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return { head: answer, body: Buffer.concat(chunks).toString() };
}

describe('what counts as a handler', () => {
  const answer = (): string => 'here';
  test.each([
    ['a default function', { default: answer }, true],
    ['an object with fetch', { default: { fetch: answer } }, true],
    ['a named export alone', { fetch: answer }, false],
    ['an object without fetch', { default: {} }, false],
    ['a fetch that is no function', { default: { fetch: 3 } }, false],
    ['null', { default: null }, false],
    ['nothing', {}, false],
  ])('%s', (_name, module, isOne) => {
    expect(findHandler(module) !== undefined).toBe(isOne);
  });

  test('fetch keeps its object', () => {
    const module = {
      default: {
        greeting: 'hello',
        fetch(): string {
          return this.greeting;
        },
      },
    };
    const handler = findHandler(module);
    expect(handler?.(new Request('http://x/'), {}, {} as never)).toBe('hello');
  });
});

describe('a request', () => {
  test('arrives with method, URL, headers and body', async () => {
    const port = await serving(async (received) => ({
      method: received.method,
      url: received.url,
      header: received.headers.get('x-one'),
      body: await received.text(),
    }));
    const headers = { host: 'greeter.example', 'x-one': 'a' };
    const { body } = await call({ port, method: 'PUT', path: '/a/b?c=d', headers }, 'payload');
    expect(JSON.parse(body)).toEqual({
      method: 'PUT',
      url: 'http://greeter.example/a/b?c=d',
      header: 'a',
      body: 'payload',
    });
  });

  test('whose path looks like another host keeps its own', async () => {
    const port = await serving((received) => received.url);
    const { body } = await call({ port, path: '//elsewhere.example/x', headers: { host: 'here.example' } });
    expect(body).toBe('http://here.example//elsewhere.example/x');
  });

  test('with an impossible Host has a URL all the same', async () => {
    const port = await serving((received) => received.url);
    const { body } = await call({ port, path: '/x', headers: { host: 'a b' } });
    expect(body).toBe('http://localhost/x');
  });

  test('body streams with backpressure: a handler that reads one chunk gets it before the rest was sent', async () => {
    const port = await serving(async (received) => {
      const reader = (received.body as ReadableStream<Uint8Array>).getReader();
      const { value } = await reader.read();
      return Buffer.from(value ?? []).toString();
    });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = request({ host: '127.0.0.1', port, method: 'POST' }, resolve).once('error', reject);
      outgoing.write('first');
      onTestFinished(() => void outgoing.destroy());
    });
    const [first] = (await (await answered).take(1).toArray()) as Buffer[];
    expect(first?.toString()).toBe('first');
  });

  test.each<[string, (received: Request) => unknown]>([
    ['at once', () => undefined],
    ['when some of it has come in', () => new Promise((resolve) => setTimeout(resolve, 30))],
    ['after its first chunk', (received) => received.body?.getReader().read()],
    ['after it was cancelled', (received) => received.body?.cancel()],
  ])('body that is left unread, answered %s, does not hold its connection', async (_name, before) => {
    let calls = 0;
    const port = await serving(async (received) => {
      await before(received);
      return `answer ${++calls}`;
    });
    // A socket of our own: a client library would quietly take another connection.
    const socket = connect(port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    let received = '';
    socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
    for (let i = 1; i <= 3; i++) {
      socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2000000\r\n\r\n');
      socket.write(Buffer.alloc(2_000_000));
      await vi.waitFor(() => expect(received).toContain(`answer ${i}`), { timeout: 10_000 });
    }
  });

  test('aborts when its caller leaves', async () => {
    const aborted = vi.fn<() => void>();
    const called = vi.fn<() => void>();
    const port = await serving((received) => {
      received.signal.addEventListener('abort', aborted);
      called();
      return new Promise(() => undefined);
    });
    const outgoing = request({ host: '127.0.0.1', port }).once('error', () => undefined);
    outgoing.end();
    await vi.waitFor(() => expect(called).toHaveBeenCalled());
    expect(aborted).not.toHaveBeenCalled();
    outgoing.destroy();
    await vi.waitFor(() => expect(aborted).toHaveBeenCalledOnce());
  });

  test('body of a caller who leaves midway ends in an error, not in a whole body', async () => {
    const outcome = vi.fn<(outcome: string) => void>();
    const port = await serving((received) => {
      received.text().then(
        () => outcome('whole'),
        () => outcome('cut'),
      );
      return new Promise(() => undefined);
    });
    const socket = connect(port, '127.0.0.1');
    socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf');
    await new Promise((sent) => setImmediate(sent));
    socket.end();
    await vi.waitFor(() => expect(outcome).toHaveBeenCalledWith('cut'));
  });
});

describe('a response', () => {
  test.each<[string, Fetch, number, string, string | undefined]>([
    ['text', () => 'hi', 200, 'hi', '2'],
    ['an object', () => ({ a: 1 }), 200, '{"a":1}', '7'],
    ['bytes', () => new TextEncoder().encode('raw'), 200, 'raw', '3'],
    ['nothing', () => undefined, 204, '', undefined],
    ['a Response', () => new Response('made', { status: 201 }), 201, 'made', '4'],
    ['a Response without a body', () => new Response(null, { status: 304 }), 304, '', undefined],
    ['a promise', () => Promise.resolve('later'), 200, 'later', '5'],
  ])('from %s, with its length', async (_name, handler, status, body, length) => {
    const answer = await call({ port: await serving(handler) });
    expect(answer.head.statusCode).toBe(status);
    expect(answer.body).toBe(body);
    expect(answer.head.headers['content-length']).toBe(length);
  });

  test('keeps its cookies apart, and leaves the connection to the server', async () => {
    const port = await serving(() => {
      const headers = new Headers({ 'x-own': 'yes', connection: 'close', 'keep-alive': 'timeout=1' });
      headers.append('set-cookie', 'a=1');
      headers.append('set-cookie', 'b=2');
      return new Response('x', { headers });
    });
    const agent = new Agent({ keepAlive: true });
    onTestFinished(() => agent.destroy());
    const { headers } = (await call({ port, agent })).head;
    expect(headers['set-cookie']).toEqual(['a=1', 'b=2']);
    expect(headers['x-own']).toBe('yes');
    expect(headers.connection).toBe('keep-alive');
  });

  test('to HEAD has no body', async () => {
    const port = await serving(() => 'hi');
    const { head: answer, body } = await call({ port, method: 'HEAD' });
    expect([answer.statusCode, body]).toEqual([200, '']);
  });

  test('streams: the head goes out before the first chunk is there, and each chunk before the next', async () => {
    let push: (text: string | undefined) => void = () => undefined;
    const port = await serving(() => {
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          push = (text) =>
            text === undefined ? controller.close() : controller.enqueue(new TextEncoder().encode(text));
        },
      });
      return new Response(body);
    });
    const answer = await head({ port });
    expect(answer.statusCode).toBe(200);
    const chunks = answer[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    for (const text of ['one', 'two', 'three']) {
      push(text);
      expect((await chunks.next()).value?.toString()).toBe(text);
    }
    push(undefined);
    expect((await chunks.next()).done).toBe(true);
  });

  test('that outruns its caller waits for it', async () => {
    let made = 0;
    const chunk = new Uint8Array(65_536);
    const port = await serving(
      () =>
        new Response(
          new ReadableStream<Uint8Array>({
            pull(controller) {
              if (made++ < 2_000) controller.enqueue(chunk);
              else controller.close();
            },
          }),
        ),
    );
    const answer = await head({ port });
    answer.pause();
    // Made until the kernel's buffers are full, and then no more.
    let before = -1;
    await vi.waitFor(
      () => {
        const stalled = made > 0 && made === before;
        before = made;
        expect(stalled).toBe(true);
      },
      { interval: 100, timeout: 20_000 },
    );
    expect(made).toBeLessThan(1_000);
    let bytes = 0;
    for await (const piece of answer) bytes += (piece as Buffer).length;
    expect(bytes).toBe(2_000 * 65_536);
  });

  test('that nobody waits for any more is cancelled', async () => {
    const cancelled = vi.fn<() => void>();
    const port = await serving(
      () =>
        new Response(
          new ReadableStream<Uint8Array>({
            start: (controller) => controller.enqueue(new Uint8Array(10)),
            cancel: cancelled,
          }),
        ),
    );
    const answer = await head({ port });
    await answer.take(1).toArray();
    answer.destroy();
    await vi.waitFor(() => expect(cancelled).toHaveBeenCalledOnce());
  });
});

describe('a handler that throws', () => {
  test('answers 500, says that the function failed, and tells nothing of the error', async () => {
    const port = await serving(() => {
      throw new RangeError('the secret is xyzzy');
    });
    const { head: answer, body } = await call({ port });
    expect(answer.statusCode).toBe(500);
    expect(answer.headers[FUNCTION_ERROR]).toBe('RangeError');
    expect(JSON.stringify(answer.rawHeaders) + body).not.toContain('xyzzy');
  });

  test('before its first chunk leaves none of its headers behind', async () => {
    const port = await serving(() => {
      const body = new ReadableStream({ pull: (controller) => controller.error(new Error('no')) });
      return new Response(body, { headers: { 'content-length': '5', 'x-own': 'yes' } });
    });
    const { head: answer } = await call({ port });
    expect(answer.statusCode).toBe(500);
    expect(answer.headers['x-own']).toBeUndefined();
  });

  test('in the middle of a stream cuts it off, so that half a body is not taken for a whole', async () => {
    let fail: () => void = () => undefined;
    const port = await serving(
      () =>
        new Response(
          new ReadableStream<Uint8Array>({
            start(controller) {
              controller.enqueue(new Uint8Array(10));
              fail = () => controller.error(new Error('broken'));
            },
          }),
        ),
    );
    const answer = await head({ port });
    answer.once('data', () => fail());
    const outcome = await new Promise((resolve) => {
      answer.once('end', () => resolve('whole'));
      answer.once('error', () => resolve('cut'));
    });
    expect(outcome).toBe('cut');
  });
});
