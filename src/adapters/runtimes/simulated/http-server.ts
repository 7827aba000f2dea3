/** Answers for simulated sandboxes: a socket for each, and one HTTP server in this process behind them all. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createListener, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BatonError } from '../../../lib/errors.ts';
import type { SandboxId } from '../../../lib/ids.ts';
import type { SandboxAddress } from '../../../core/model/sandbox.ts';
import type { StartRequest } from '../../../ports/sandbox-runtime.ts';
import type { SimulatedServer } from './simulated.ts';

interface Listening {
  readonly listener: Server;
  readonly sockets: Set<Socket>;
  /** Closed while it began to listen. */
  readonly abandon: () => void;
}

export function simulatedHttpServer(): SimulatedServer {
  const base = tmpdir().length > 20 ? '/tmp' : tmpdir();
  const directory = mkdtempSync(join(base, 'baton-sim-'));
  const listening = new Map<SandboxId, Listening>();
  const bodies = new WeakMap<Socket, string>();
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  process.once('exit', remove);

  const http = createServer({ keepAliveTimeout: 0 }, (request, response) => {
    request.resume();
    response.setHeader('content-type', 'application/json');
    response.end(bodies.get(request.socket) ?? '');
  });

  const open = ({ sandbox, spec, generation }: StartRequest): Promise<SandboxAddress> => {
    const body = `${JSON.stringify({ sandbox, function: spec.name, generation })}\n`;
    const sockets = new Set<Socket>();
    const listener = createListener((socket) => {
      bodies.set(socket, body);
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      http.emit('connection', socket);
    });
    const path = join(directory, sandbox);
    return new Promise((resolve, reject) => {
      const abandon = (): void => reject(new BatonError('canceled', 'killed while it started'));
      listening.set(sandbox, { listener, sockets, abandon });
      listener.once('error', (cause) => {
        reject(new BatonError('io', `cannot listen on ${path}`, { fields: { path }, cause }));
      });
      listener.listen(path, () => resolve(`unix:${path}`));
    });
  };

  const close = (sandbox: SandboxId): void => {
    const found = listening.get(sandbox);
    if (found === undefined) return;
    listening.delete(sandbox);
    found.listener.close();
    found.abandon();
    for (const socket of found.sockets) socket.destroy();
  };

  return {
    open,
    close,
    closeAll() {
      for (const sandbox of listening.keys()) close(sandbox);
      process.off('exit', remove);
      remove();
      return Promise.resolve();
    },
  };
}
