/**
 * The way from data planes to sandboxes: workers announce their sandboxes at an address of their own, where toxiproxy listens,
 * and sandboxes listen at another one. Both are loopback's: all of 127.0.0.0/8 is.
 */
import { randomInt } from 'node:crypto';
import type { LocalCluster } from '../../src/config/cluster.ts';
import { BatonError } from '../../src/lib/errors.ts';
import type { ProxyPlan } from './toxiproxy.ts';

/** Of one worker: a port is not given out again for ten minutes, so these are all the sandboxes that it can start in a run. */
const PORTS = 96;

export interface Doors {
  readonly proxies: readonly ProxyPlan[];
  configOf(worker: string): object;
  /** @param address as data planes have it: `tcp:host:port` */
  proxyAt(address: string): string;
}

export function doorsOf(cluster: LocalCluster): Doors {
  // Another run on this machine has other addresses.
  const net = `127.${randomInt(16, 255)}.${randomInt(256)}`;
  const [inside, outside] = [`${net}.1`, `${net}.2`];
  const ranges = new Map<string, { from: number; to: number }>(
    cluster.workers.map(({ id, ports }) => [id, { from: ports.from, to: ports.from + PORTS - 1 }]),
  );
  const proxies = [...ranges].flatMap(([worker, { from }]) =>
    Array.from({ length: PORTS }, (_, i) => ({
      name: `sandbox-${worker}-${from + i}`,
      listen: `${outside}:${from + i}`,
      upstream: `${inside}:${from + i}`,
    })),
  );
  return {
    proxies,
    configOf: (worker) => ({ host: outside, listenHost: inside, ports: ranges.get(worker) }),
    proxyAt(address) {
      const found = proxies.find(({ listen }) => address === `tcp:${listen}`);
      if (found === undefined) throw new BatonError('internal', `${address} is no proxy's`);
      return found.name;
    },
  };
}
