/**
 * Answers for very many simulated sandboxes with one listening socket: each has a loopback address of its own (127.0.0.0/8 has
 * sixteen million), and the address that a connection came to says whose it is.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { SandboxId } from '../../../lib/ids.ts';
import { BatonError } from '../../../lib/errors.ts';
import type { SandboxAddress } from '../../../core/model/sandbox.ts';
import type { StartRequest } from '../../../ports/sandbox-runtime.ts';
import type { SimulatedServer } from './simulated.ts';

/** 127.0.0.x stays with the machine's own programs. */
const FIRST_HOST = 1 << 8;
const HOSTS = 1 << 24;

export class LoopbackServer {
  readonly #port: number;
  readonly #bodies = new Map<string, string>();
  readonly #hosts = new Map<SandboxId, string>();
  readonly #sockets = new Map<string, Set<Socket>>();
  #next = FIRST_HOST;
  readonly #close: () => void;

  private constructor(port: number, close: () => void) {
    this.#port = port;
    this.#close = close;
  }

  /** @throws BatonError `io` */
  static async listen(): Promise<LoopbackServer> {
    const http = createServer({ keepAliveTimeout: 0 });
    // Every address of the loopback range, and no other: see #admit.
    http.listen({ host: '0.0.0.0', port: 0, backlog: 4_096 });
    await once(http, 'listening').catch((cause: unknown) => {
      throw new BatonError('io', 'cannot listen for sandboxes', { cause });
    });
    const server = new LoopbackServer((http.address() as AddressInfo).port, () => http.close());
    http.on('connection', (socket) => server.#admit(socket));
    http.on('request', (request, response) => server.#answer(request, response));
    return server;
  }

  #admit(socket: Socket): void {
    const host = socket.localAddress ?? '';
    const sockets = this.#sockets.get(host);
    if (sockets === undefined) return void socket.destroy();
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    response.setHeader('content-type', 'application/json');
    response.end(this.#bodies.get(request.socket.localAddress ?? '') ?? '');
  }

  /** For one worker's runtime; closing it closes that worker's sandboxes. */
  share(): SimulatedServer {
    const own = new Set<SandboxId>();
    const close = (sandbox: SandboxId): void => {
      own.delete(sandbox);
      this.#end(sandbox);
    };
    return {
      open: (request) => {
        own.add(request.sandbox);
        return Promise.resolve(this.#open(request));
      },
      close,
      closeAll: () => {
        for (const sandbox of own) close(sandbox);
        return Promise.resolve();
      },
    };
  }

  #open({ sandbox, spec, generation }: StartRequest): SandboxAddress {
    const host = this.#freeHost();
    this.#hosts.set(sandbox, host);
    this.#sockets.set(host, new Set());
    this.#bodies.set(host, `${JSON.stringify({ sandbox, function: spec.name, generation })}\n`);
    return `tcp:${host}:${this.#port}`;
  }

  /** In a cycle, so that an address is used again as late as can be (R7). */
  #freeHost(): string {
    for (;;) {
      const n = this.#next;
      this.#next = n + 1 >= HOSTS ? FIRST_HOST : n + 1;
      const host = `127.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;
      if (!this.#bodies.has(host)) return host;
    }
  }

  #end(sandbox: SandboxId): void {
    const host = this.#hosts.get(sandbox);
    if (host === undefined) return;
    this.#hosts.delete(sandbox);
    this.#bodies.delete(host);
    for (const socket of this.#sockets.get(host) ?? []) socket.destroy();
    this.#sockets.delete(host);
  }

  close(): void {
    for (const sandbox of this.#hosts.keys()) this.#end(sandbox);
    this.#close();
  }
}
