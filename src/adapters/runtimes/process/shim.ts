/**
 * What runs inside a JavaScript sandbox: a generic process, booted before anybody needs it (a stem cell), that becomes one
 * function on command. It ends with its worker: a closed channel is the end.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import type { FromShim, StartModule, ToShim } from './protocol.ts';
import { findHandler, sendResponse, toRequest, type Handler, type HandlerContext } from './web-handler.ts';

const STACK_CHARACTERS = 8_000;

const tellWorker = process.send?.bind(process) as ((message: FromShim) => void) | undefined;
const pending = new Set<Promise<unknown>>();
let server: Server | undefined;
let draining = false;

function fail(error: unknown): void {
  const isError = error instanceof Error;
  const stack = (isError ? (error.stack ?? error.message) : inspect(error)).slice(0, STACK_CHARACTERS);
  tellWorker?.({ kind: 'failed', message: isError ? error.message : inspect(error), stack });
}

async function start(command: StartModule): Promise<void> {
  const beganMs = performance.now();
  Object.assign(process.env, command.env);
  let handler: Handler | undefined;
  try {
    handler = findHandler((await import(pathToFileURL(command.module).href)) as Record<string, unknown>);
  } catch (error) {
    return fail(error);
  }
  if (handler === undefined) {
    return fail(
      new Error(
        'the module exports no handler: write "export default { fetch(request, env, ctx) { … } }" or "export default function"',
      ),
    );
  }
  const loadedMs = performance.now();
  server = serve(handler, command);
  server.once('error', fail);
  const done = (): void => {
    server?.off('error', fail);
    const loadMicros = Math.round((loadedMs - beganMs) * 1_000);
    const listenMicros = Math.round((performance.now() - loadedMs) * 1_000);
    tellWorker?.({ kind: 'ready', loadMicros, listenMicros });
  };
  if ('path' in command.listen) server.listen(command.listen.path, done);
  else server.listen(command.listen.port, command.listen.host, done);
}

function serve(handler: Handler, command: StartModule): Server {
  const env = Object.freeze({ ...command.env });
  const identity = { function: command.function, sandbox: command.sandbox, generation: command.generation };
  const waitUntil = (work: Promise<unknown>): void => {
    const settled = Promise.resolve(work).catch((error: unknown) => console.error(error));
    pending.add(settled);
    void settled.finally(() => pending.delete(settled));
  };
  const answer = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    try {
      const callId = incoming.headers['x-call-id'];
      const context: HandlerContext = {
        ...identity,
        waitUntil,
        callId: typeof callId === 'string' ? callId : '',
      };
      await sendResponse(await handler(toRequest(incoming, response), env, context), response);
    } catch (error) {
      if (!response.destroyed) console.error(error);
      if (response.headersSent) response.destroy();
      else {
        response.statusCode = 500;
        response.setHeader('content-type', 'text/plain');
        response.end('Internal Server Error\n');
      }
    }
    if (draining) finish();
  };
  // The data plane in front has its own, configured limits; a pooled connection must not be closed under it.
  return createServer(
    { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0, maxHeaderSize: 65_536 },
    (incoming, response) => void answer(incoming, response),
  );
}

function drain(): void {
  draining = true;
  if (server === undefined) process.exit(0);
  server.close(() => void Promise.allSettled([...pending]).then(() => process.exit(0)));
  finish();
}

/** Connections without a request hold nobody up. */
function finish(): void {
  setImmediate(() => server?.closeIdleConnections());
}

process.on('message', (message: ToShim) => {
  if (message.kind === 'drain') drain();
  else start(message).catch(fail);
});
process.on('disconnect', () => process.exit(0));
process.on('unhandledRejection', (reason) => console.error('unhandled rejection:', reason));
// Ctrl-C at a terminal reaches the whole group; the worker decides when a sandbox ends.
process.on('SIGINT', () => undefined);
tellWorker?.({ kind: 'booted' });
