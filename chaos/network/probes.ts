/**
 * Witnesses of what crosses: at each NATS server one that is connected to it, and one behind the proxy of each client. They
 * send each other small numbered messages over every lane, by the routes and proxies that everybody's messages take.
 */
import { connect, type NatsConnection } from 'nats';
import { until } from '../until.ts';
import { laneName, WITNESS, type Lane } from './wires.ts';

const EVERY_MS = 50;
const CONNECT_TIMEOUT_MS = 5_000;
const HEAR_TIMEOUT_MS = 10_000;
/** More than a fault lasts. */
const KEEP = 4_096;

export interface Station {
  /** A host, or a process. */
  readonly id: string;
  readonly url: string;
}

interface Post {
  readonly connection: NatsConnection;
  isUp: boolean;
}

export interface Probe {
  readonly sentMs: number;
  /** Undefined: not yet. */
  arrivedMs: number | undefined;
}

export class Probes {
  readonly #posts = new Map<string, Post>();
  readonly #sent = new Map<string, Map<number, Probe>>();
  #lanes: readonly Lane[] = [];
  #count = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Resolves when every lane has carried something: the wires are as they were planned. */
  static async open(
    stations: readonly Station[],
    lanes: readonly Lane[],
    password: string,
    signal: AbortSignal,
  ): Promise<Probes> {
    const probes = new Probes();
    try {
      for (const { id, url } of stations) await probes.#connect(id, url, password);
      for (const lane of lanes) probes.#listen(lane);
      await probes.untilCarried(lanes, signal);
      return probes;
    } catch (error) {
      await probes.close();
      throw error;
    }
  }

  /** Resolves when each of these has carried something since now. */
  async untilCarried(lanes: readonly Lane[], signal: AbortSignal): Promise<void> {
    const fromMs = performance.now();
    this.begin(lanes);
    try {
      await until('every wire carries messages', HEAR_TIMEOUT_MS, signal, () =>
        lanes.every((lane) => this.between(lane, fromMs, Infinity).some(({ arrivedMs }) => arrivedMs)),
      );
    } finally {
      this.end();
    }
  }

  async #connect(id: string, url: string, pass: string): Promise<void> {
    const connection = await connect({
      servers: url,
      user: WITNESS,
      pass,
      name: `witness at ${id}`,
      ignoreClusterUpdates: true,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 50,
      reconnectJitter: 50,
      // Behind a cut it waits: whoever gives up and dials again shows less.
      pingInterval: 600_000,
      timeout: CONNECT_TIMEOUT_MS,
    });
    const post: Post = { connection, isUp: true };
    this.#posts.set(id, post);
    void (async () => {
      for await (const { type } of connection.status()) {
        if (type === 'disconnect') post.isUp = false;
        else if (type === 'reconnect') post.isUp = true;
      }
    })();
  }

  #listen(lane: Lane): void {
    const probes = new Map<number, Probe>();
    this.#sent.set(laneName(lane), probes);
    this.#posts.get(lane.to)?.connection.subscribe(subjectOf(lane), {
      callback: (error, message) => {
        const probe = error === null ? probes.get(Number.parseInt(message.string(), 10)) : undefined;
        if (probe !== undefined) probe.arrivedMs ??= performance.now();
      },
    });
  }

  /** A message each 50 ms over each of these, until the end. */
  begin(lanes: readonly Lane[]): void {
    this.end();
    this.#lanes = lanes;
    this.#timer = setInterval(() => {
      for (const lane of this.#lanes) this.send(lane, 0);
    }, EVERY_MS);
  }

  end(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** One message of about this size. Undefined: the sender is not connected. */
  send(lane: Lane, bytes: number): Probe | undefined {
    const post = this.#posts.get(lane.from);
    const sent = this.#sent.get(laneName(lane));
    // What is sent while it is not connected would be kept, and cross later.
    if (post?.isUp !== true || sent === undefined) return undefined;
    const probe: Probe = { sentMs: performance.now(), arrivedMs: undefined };
    sent.set(++this.#count, probe);
    for (const oldest of sent.keys()) {
      if (sent.size <= KEEP) break;
      sent.delete(oldest);
    }
    post.connection.publish(subjectOf(lane), `${this.#count} ${'.'.repeat(bytes)}`);
    return probe;
  }

  /** Sent over this lane in this time, whenever they arrived. */
  between(lane: Lane, fromMs: number, toMs: number): Probe[] {
    const sent = [...(this.#sent.get(laneName(lane))?.values() ?? [])];
    return sent.filter(({ sentMs }) => sentMs >= fromMs && sentMs <= toMs);
  }

  async close(): Promise<void> {
    this.end();
    await Promise.allSettled([...this.#posts.values()].map(({ connection }) => connection.close()));
  }
}

const subjectOf = ({ from, to }: Lane): string => `witness.${from}.${to}`;
