/** Steady warm load through several data planes, every answer looked at. */
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly ms: number;
}

/** Rejects when the connection breaks or nothing comes within `timeoutMs`. */
export function call(
  url: string,
  options: {
    agent?: Agent;
    method?: string;
    body?: string;
    headers?: Record<string, string>;
    timeoutMs?: number;
  } = {},
): Promise<Answer> {
  const { agent, method = 'GET', body, headers = {}, timeoutMs = 30_000 } = options;
  const beganMs = performance.now();
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      { method, headers, timeout: timeoutMs, ...(agent === undefined ? {} : { agent }) },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            body: Buffer.concat(chunks).toString('utf8'),
            ms: performance.now() - beganMs,
          }),
        );
      },
    );
    sent.on('timeout', () => sent.destroy(new Error(`no answer in ${timeoutMs} ms`)));
    sent.on('error', reject);
    sent.end(body);
  });
}

export interface LoadSample {
  /** Since the load began. */
  readonly atMs: number;
  readonly ms: number;
  readonly ok: boolean;
  readonly why: string;
}

export interface Load {
  readonly samples: readonly LoadSample[];
  stop(): Promise<void>;
}

/** Each of `loops` per URL sends, looks, pauses: a rate that does not fill the machine. */
export function steadyLoad(urls: readonly string[], loops: number, pauseMs: number): Load {
  const samples: LoadSample[] = [];
  const beganMs = performance.now();
  let running = true;
  const agent = new Agent({ keepAlive: true, maxSockets: loops * urls.length });
  const loop = async (url: string): Promise<void> => {
    while (running) {
      const atMs = performance.now() - beganMs;
      try {
        const { status, body, ms } = await call(url, { agent, timeoutMs: 10_000 });
        samples.push({
          atMs,
          ms,
          ok: status === 200,
          why: status === 200 ? '' : `${status} ${body.slice(0, 200)}`,
        });
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        samples.push({ atMs, ms: performance.now() - beganMs - atMs, ok: false, why });
      }
      await delay(pauseMs);
    }
  };
  const all = urls.flatMap((url) => Array.from({ length: loops }, () => loop(url)));
  return {
    samples,
    async stop() {
      running = false;
      await Promise.all(all);
      agent.destroy();
    },
  };
}

export interface Distribution {
  readonly n: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export function distribution(values: readonly number[]): Distribution {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0);
  return { n: sorted.length, p50: at(0.5), p99: at(0.99), max: round(sorted.at(-1) ?? 0) };
}

export function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
