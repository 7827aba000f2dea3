/**
 * A real toxiproxy server beside the cluster: started like any of its processes, driven over its API, ended by its directory.
 *
 *   X1  what was put on a stream is remembered, and taken off in the reverse order: toxiproxy forgets to end connections
 *       otherwise (a stub that closed early keeps its place in the chain);
 *   X2  a proxy that could not listen is an error at the start, never a link that is silently not there.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Toxiproxy as Client, type Proxy, type ToxicAttributeTypes } from 'toxiproxy-node-client';
import { BatonError } from '../../src/lib/errors.ts';
import { logTail, processOf, startDetached, stopProcess } from '../../cluster/local/processes.ts';
import { provision, type Progress } from '../../cluster/provision/provision.ts';
import { until } from '../until.ts';

/** Its own directory in the cluster's. */
export const TOXIPROXY = 'toxiproxy';

const API_HOST = '127.0.0.1';
const START_TIMEOUT_MS = 10_000;
const GRACE_MS = 2_000;
const LOG_LINES = 3;

export interface ProxyPlan {
  readonly name: string;
  /** host:port */
  readonly listen: string;
  /** host:port */
  readonly upstream: string;
}

/** One direction of a proxy: `upstream` is what the dialling side sends. */
export interface Stream {
  readonly proxy: string;
  readonly direction: 'upstream' | 'downstream';
}

export type Toxic =
  /** Bytes are dropped and connections stay open; 0: they are never closed. */
  | { readonly type: 'timeout'; readonly attributes: { readonly timeout: number } }
  | { readonly type: 'slow_close'; readonly attributes: { readonly delay: number } }
  | { readonly type: 'latency'; readonly attributes: { readonly latency: number; readonly jitter: number } }
  /** KB/s */
  | { readonly type: 'bandwidth'; readonly attributes: { readonly rate: number } }
  | { readonly type: 'reset_peer'; readonly attributes: { readonly timeout: number } }
  | {
      readonly type: 'slicer';
      /** Bytes, bytes, microseconds. */
      readonly attributes: {
        readonly average_size: number;
        readonly size_variation: number;
        readonly delay: number;
      };
    };

interface Applied {
  readonly name: string;
  readonly take: () => Promise<void>;
}

export class Toxiproxy {
  readonly #directory: string;
  readonly #proxies: ReadonlyMap<string, Proxy>;
  /** By stream, in the order in which they stand there. */
  readonly #applied = new Map<string, Applied[]>();
  readonly #disabled = new Set<string>();
  #count = 0;

  private constructor(directory: string, proxies: ReadonlyMap<string, Proxy>) {
    this.#directory = directory;
    this.#proxies = proxies;
  }

  /**
   * @param home the cluster's directory
   * @param port of its own API
   * @throws BatonError `unavailable` with the line that says how to get toxiproxy
   */
  static async start(
    home: string,
    port: number,
    plan: readonly ProxyPlan[],
    signal: AbortSignal,
    progress: Progress,
  ): Promise<Toxiproxy> {
    const { path } = await provision('toxiproxy-server', progress);
    const directory = join(home, TOXIPROXY);
    mkdirSync(directory, { recursive: true });
    const config = join(directory, 'proxies.json');
    writeFileSync(config, JSON.stringify(plan.map((proxy) => ({ ...proxy, enabled: true }))));
    startDetached(directory, {
      file: path,
      args: ['-host', API_HOST, '-port', String(port), '-config', config],
    });
    const client = new Client(`http://${API_HOST}:${port}`);
    const proxies = await until('toxiproxy answers', START_TIMEOUT_MS, signal, async () => {
      if (processOf(directory) === undefined)
        throw new BatonError('unavailable', `toxiproxy ended at once: ${logTail(directory, LOG_LINES)}`);
      return client.getAll().catch(() => undefined);
    });
    const deaf = plan.filter(({ name }) => proxies[name]?.enabled !== true).map(({ listen }) => listen);
    if (deaf.length > 0)
      throw new BatonError('io', `toxiproxy cannot listen on ${deaf.slice(0, 3).join(', ')}`, {
        hint: `its log is ${join(directory, 'log')}`,
      });
    return new Toxiproxy(directory, new Map(Object.entries(proxies)));
  }

  /** SIGTERM, by directory alone: also what nobody holds a handle of. */
  static async stop(home: string): Promise<void> {
    await stopProcess(join(home, TOXIPROXY), GRACE_MS);
  }

  #proxy(name: string): Proxy {
    const proxy = this.#proxies.get(name);
    if (proxy === undefined) throw new BatonError('internal', `no proxy ${name}`);
    return proxy;
  }

  /** Behind what is there already. Resolves when every connection of the proxy has it. */
  async put({ proxy, direction }: Stream, { type, attributes }: Toxic): Promise<void> {
    const name = `${type}-${++this.#count}`;
    const body = {
      name,
      type,
      stream: direction,
      toxicity: 1,
      attributes: attributes as ToxicAttributeTypes,
    };
    const toxic = await this.#do(`${type} on ${proxy}`, () => this.#proxy(proxy).addToxic(body));
    const key = `${proxy} ${direction}`;
    const chain = this.#applied.get(key) ?? [];
    this.#applied.set(key, [...chain, { name, take: () => toxic.remove() }]);
  }

  /** Everything that was put there, the last first (X1). */
  async clear({ proxy, direction }: Stream): Promise<void> {
    const key = `${proxy} ${direction}`;
    const chain = this.#applied.get(key) ?? [];
    this.#applied.delete(key);
    for (const { name, take } of chain.toReversed()) await this.#do(`${name} off ${proxy}`, take);
  }

  /** Closes all its connections, and refuses new ones. */
  async disable(name: string): Promise<void> {
    this.#disabled.add(name);
    await this.#set(name, false);
  }

  async enable(name: string): Promise<void> {
    await this.#set(name, true);
    this.#disabled.delete(name);
  }

  async #set(name: string, enabled: boolean): Promise<void> {
    const proxy = this.#proxy(name);
    const { listen, upstream } = proxy;
    await this.#do(`${enabled ? 'enabling' : 'disabling'} ${name}`, () =>
      proxy.update({ enabled, listen, upstream }),
    );
  }

  /** As if nothing had ever been put anywhere. */
  async heal(): Promise<void> {
    const streams = [...this.#applied.keys()].map((key): Stream => {
      const [proxy = '', direction = ''] = key.split(' ');
      return { proxy, direction: direction as Stream['direction'] };
    });
    await Promise.all(streams.map((stream) => this.clear(stream)));
    for (const name of [...this.#disabled]) await this.enable(name);
  }

  async #do<T>(what: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (cause) {
      const isGone = processOf(this.#directory) === undefined;
      throw new BatonError('io', `toxiproxy: ${what} failed${isGone ? ': it has ended' : ''}`, { cause });
    }
  }
}
