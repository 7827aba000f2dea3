/** Free ports below the range from which the system takes its own, so that a stopped process finds its port again. */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { BatonError } from '../../src/lib/errors.ts';

const FROM = 10_000;
const TO = 19_999;
const MAX_TRIES = 2_000;

export function isPortFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** @param taken also those that nobody listens on yet */
export async function freePorts(
  host: string,
  count: number,
  taken: ReadonlySet<number> = new Set(),
): Promise<number[]> {
  const ports = new Set<number>();
  for (let tries = 0; tries < MAX_TRIES && ports.size < count; tries++) {
    const port = randomInt(FROM, TO + 1);
    if (!taken.has(port) && !ports.has(port) && (await isPortFree(host, port))) ports.add(port);
  }
  if (ports.size < count) throw new BatonError('io', `no ${count} free ports between ${FROM} and ${TO}`);
  return [...ports];
}
