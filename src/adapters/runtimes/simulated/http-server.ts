/** Answers for simulated sandboxes, each on a socket of its own, all in this process. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SandboxId } from '../../../lib/ids.ts';
import type { StartRequest } from '../../../ports/sandbox-runtime.ts';
import type { SimulatedServer } from './simulated.ts';

export function simulatedHttpServer(): SimulatedServer {
  const base = tmpdir().length > 20 ? '/tmp' : tmpdir();
  const directory = mkdtempSync(join(base, 'baton-sim-'));
  const servers = new Map<SandboxId, Server>();
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  process.once('exit', remove);
  const close = (sandbox: SandboxId): void => {
    const server = servers.get(sandbox);
    servers.delete(sandbox);
    server?.close();
    server?.closeAllConnections();
  };
  return {
    open({ sandbox, spec, generation }: StartRequest) {
      const body = `${JSON.stringify({ function: spec.name, sandbox, generation })}\n`;
      const server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
        request.resume();
        response.setHeader('content-type', 'application/json');
        response.end(body);
      });
      servers.set(sandbox, server);
      const path = join(directory, sandbox);
      return new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(path, () => resolve(`unix:${path}`));
      });
    },
    close,
    closeAll() {
      for (const sandbox of servers.keys()) close(sandbox);
      remove();
      return Promise.resolve();
    },
  };
}
