/** Prometheus text of one process, read by name. */
import { request } from 'node:http';

const TIMEOUT_MS = 2_000;

export type Metrics = ReadonlyMap<string, number>;

/** Undefined when it does not answer. Samples with labels stand under their whole name, `name{label="value"}`. */
export function readMetrics(baseUrl: string): Promise<Metrics | undefined> {
  return new Promise((resolve) => {
    const call = request(`${baseUrl}/metrics`, { agent: false, timeout: TIMEOUT_MS }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => (text += piece));
      response.on('error', () => resolve(undefined));
      response.on('end', () => resolve(response.statusCode === 200 ? parsed(text) : undefined));
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(undefined));
    call.end();
  });
}

function parsed(text: string): Metrics {
  const samples = new Map<string, number>();
  for (const line of text.split('\n')) {
    const end = line.lastIndexOf(' ');
    if (line.startsWith('#') || end <= 0) continue;
    samples.set(line.slice(0, end), Number(line.slice(end + 1)));
  }
  return samples;
}

/** The sum over all labels. */
export function total(metrics: Metrics | undefined, name: string): number {
  let sum = 0;
  for (const [key, value] of metrics ?? []) if (key === name || key.startsWith(`${name}{`)) sum += value;
  return sum;
}
