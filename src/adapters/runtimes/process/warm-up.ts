/**
 * Done once in every stem cell, before anybody waits for it: the first request of a fresh process would otherwise pay some
 * twenty milliseconds for what Node loads and compiles only when it is touched (Request, Response, streams, the parser).
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { duplexPair } from 'node:stream';
import { sendResponse, toRequest } from './web-handler.ts';

const REQUESTS =
  'GET /?a=b HTTP/1.1\r\nhost: warm\r\n\r\n' +
  'POST / HTTP/1.1\r\nhost: warm\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nhi';

const LIMIT_MS = 500;

/** Resolves in any case, and soon; false: what could not be warmed up is merely cold. */
export async function warmUp(): Promise<boolean> {
  const [near, far] = duplexPair();
  const answer = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const request = toRequest(incoming, response);
    const said = await request.text();
    await sendResponse(Response.json({ path: new URL(request.url).pathname, said }), response);
  };
  const server = createServer((incoming, response) => {
    answer(incoming, response).catch(() => response.destroy());
  });
  const over = new Promise<boolean>((resolve) => {
    let text = '';
    near.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (text.split('HTTP/1.1 200').length > 2 && text.endsWith('}')) resolve(true);
    });
    near.on('error', () => resolve(false));
    near.on('close', () => resolve(false));
    setTimeout(() => resolve(false), LIMIT_MS).unref();
  });
  server.emit('connection', far);
  near.write(REQUESTS);
  const isWarm = await over;
  near.destroy();
  far.destroy();
  server.close();
  return isWarm;
}
