/**
 * What runs inside a JavaScript sandbox: a generic process, booted before anybody needs it (a stem cell), that becomes one
 * function on command. It ends with its worker: a closed channel is the end.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import { DrainingServer } from './draining-server.ts';
import { eachLine } from './lines.ts';
import { CHANNEL, encodeMessage, type FromShim, type StartModule, type ToShim } from './protocol.ts';
import { warmUp } from './warm-up.ts';
import { findHandler, sendFailure, sendResponse, toRequest } from './web-handler.ts';
import type { Handler, HandlerContext } from './web-handler.ts';

const MESSAGE_CHARACTERS = 1_000;
const COMMAND_BYTES = 4_194_304;
const NO_HANDLER =
  'the module exports no handler: write "export default { fetch(request, env, ctx) { … } }" or "export default function"';

const channel = new Socket({ fd: CHANNEL, readable: true, writable: true });
const pending = new Set<Promise<unknown>>();
let server: DrainingServer | undefined;

function tell(message: FromShim): void {
  channel.write(encodeMessage(message));
}

/** Where a function's own output goes. */
function complain(error: unknown): void {
  process.stderr.write(`${typeof error === 'string' ? error : inspect(error)}\n`);
}

/** The stack goes where a function's output goes, so that its log tells the whole story in order. */
function fail(error: unknown): void {
  complain(error);
  const message = error instanceof Error ? `${error.name}: ${error.message}` : inspect(error);
  tell({ kind: 'failed', message: message.slice(0, MESSAGE_CHARACTERS) });
}

async function start(command: StartModule): Promise<void> {
  const beganMs = performance.now();
  Object.assign(process.env, command.env);
  let handler: Handler | undefined;
  try {
    process.chdir(command.directory);
    handler = findHandler((await import(pathToFileURL(command.module).href)) as Record<string, unknown>);
  } catch (error) {
    return fail(error);
  }
  if (handler === undefined) return fail(new TypeError(NO_HANDLER));
  const loadedMs = performance.now();
  server = new DrainingServer(listenerOf(handler, command));
  const { http } = server;
  http.once('error', fail);
  const done = (): void => {
    http.off('error', fail);
    const loadMicros = Math.round((loadedMs - beganMs) * 1_000);
    const listenMicros = Math.round((performance.now() - loadedMs) * 1_000);
    tell({ kind: 'ready', loadMicros, listenMicros });
  };
  if ('path' in command.listen) http.listen(command.listen.path, done);
  else http.listen(command.listen.port, command.listen.host, done);
}

function waitUntil(work: Promise<unknown>): void {
  const settled = Promise.resolve(work).catch(complain);
  pending.add(settled);
  void settled.finally(() => pending.delete(settled));
}

function listenerOf(
  handler: Handler,
  command: StartModule,
): (incoming: IncomingMessage, response: ServerResponse) => void {
  const env = Object.freeze({ ...command.env });
  const identity = { function: command.function, sandbox: command.sandbox, generation: command.generation };
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
      if (!response.destroyed) complain(error);
      sendFailure(error, response);
    }
  };
  return (incoming, response) => void answer(incoming, response);
}

async function drain(): Promise<void> {
  await server?.drain();
  while (pending.size > 0) await Promise.allSettled(pending);
  process.exit(0);
}

process.on('unhandledRejection', (reason) => complain(`unhandled rejection: ${inspect(reason)}`));
// Ctrl-C at a terminal reaches the whole group; the worker decides when a sandbox ends.
process.on('SIGINT', () => undefined);
channel.on('error', () => process.exit(0));
channel.on('close', () => process.exit(0));
eachLine(
  channel,
  (line) => {
    const message = JSON.parse(line) as ToShim;
    if (message.kind === 'drain') void drain();
    else start(message).catch(fail);
  },
  COMMAND_BYTES,
);
void warmUp().finally(() => tell({ kind: 'booted' }));
