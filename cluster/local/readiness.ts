/** When a local cluster can serve: asked of the processes themselves, over HTTP. */
import { request } from 'node:http';
import { connect } from 'node:net';
import type { LocalCluster } from '../../src/config/cluster.ts';
import { fleetIds } from '../../src/config/worker.ts';

const ASK_TIMEOUT_MS = 1_000;

interface Status {
  readonly leader: string;
  readonly dataPlanes: readonly { readonly id: string; readonly live: boolean }[];
  readonly workers: readonly { readonly id: string; readonly state: string }[];
}

/** Undefined when there is no answer of status 200. */
export function getJson(url: string, token: string | undefined): Promise<unknown> {
  return new Promise((resolve) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const call = request(url, { headers, timeout: ASK_TIMEOUT_MS, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', () => resolve(undefined));
      response.on('end', () => {
        resolve(response.statusCode === 200 ? parsed(Buffer.concat(chunks)) : undefined);
      });
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(undefined));
    call.end();
  });
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}

export function acceptsConnections(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const answer = (accepts: boolean): void => {
      socket.destroy();
      resolve(accepts);
    };
    socket.setTimeout(ASK_TIMEOUT_MS, () => answer(false));
    socket.once('connect', () => answer(true));
    socket.once('error', () => answer(false));
  });
}

/** What is still missing before requests can be served; empty when nothing is. */
export async function missingToServe(cluster: LocalCluster): Promise<string[]> {
  const { host, tokens } = cluster;
  const missing: string[] = [];
  let status: Status | undefined;
  for (const { id, http } of cluster.replicas) {
    const base = `http://${host}:${http}`;
    if ((await getJson(`${base}/readyz`, tokens.api)) === undefined) missing.push(id);
    else if (status === undefined || status.leader === '')
      status = (await getJson(`${base}/v1/status`, tokens.api)) as Status | undefined;
  }
  const leads = status !== undefined && status.leader !== '';
  if (!leads) missing.push('a leader');
  for (const { id, caller } of cluster.dataPlanes) {
    const isLive = status?.dataPlanes.some((plane) => plane.id === id && plane.live) === true;
    if (!isLive || (await getJson(`http://${host}:${caller}/readyz`, undefined)) === undefined)
      missing.push(id);
  }
  const alive = new Set(status?.workers.filter(({ state }) => state === 'alive').map(({ id }) => id));
  for (const { id, fleet } of cluster.workers) {
    const own = fleet === undefined ? [id] : fleetIds(id, fleet);
    if (!own.every((worker) => alive.has(worker))) missing.push(id);
  }
  return missing;
}
