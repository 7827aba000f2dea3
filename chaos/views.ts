/** Who holds what, asked of everybody: the views that must become one. */
import { request } from 'undici';
import { explain, isBatonError } from '../src/lib/errors.ts';
import type { Observer } from './observer.ts';
import type { Stage, StageDataPlane } from './stage.ts';
import { until } from './until.ts';
import { divergence, type Views } from './verifiers/convergence.ts';
import type { Verdict } from './verifiers/verdict.ts';

const ASK_TIMEOUT_MS = 2_000;
const HASH_TIMEOUT_MS = 60_000;

export interface Table {
  readonly term: number;
  readonly unconfirmed: number;
  readonly total: number;
  readonly endpoints: readonly {
    readonly sandbox: string;
    readonly function: string;
    readonly worker: string;
    readonly address: string;
  }[];
}

/** What a data plane would dispatch to. Undefined: it does not answer. */
export async function tableOf(stage: Stage, { peerUrl }: StageDataPlane): Promise<Table | undefined> {
  try {
    const { statusCode, body } = await request(`${peerUrl}/tables`, {
      headers: { 'x-baton-peer-token': stage.peerToken },
      headersTimeout: ASK_TIMEOUT_MS,
    });
    const text = await body.text();
    return statusCode === 200 ? (JSON.parse(text) as Table) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param among of which functions
 * @returns in what the views differ, or why they cannot be compared; undefined: all are of one mind
 */
export async function difference(
  stage: Stage,
  observer: Observer,
  among: (name: string) => boolean,
): Promise<string | undefined> {
  const leader = await stage.leader();
  if (leader === undefined) return 'nobody leads';
  const { client } = stage.replica(leader.id);
  try {
    const status = await client.call('getStatus', {}, ASK_TIMEOUT_MS);
    const { phase } = status.reconstruction ?? {};
    if (phase !== 'reconciled') return `reconstruction is ${phase ?? 'not begun'}`;
    const dataPlanes = new Map<string, string[]>();
    for (const dataPlane of stage.dataPlanes) {
      const table = await tableOf(stage, dataPlane);
      if (table === undefined) return `${dataPlane.id} does not answer`;
      dataPlanes.set(
        dataPlane.id,
        table.endpoints.filter((endpoint) => among(endpoint.function)).map(({ sandbox }) => sandbox),
      );
    }
    const { rows } = await client.call('listSandboxes', {}, ASK_TIMEOUT_MS);
    observer.read();
    const workers = [...observer.workers.values()]
      .flatMap(({ ready }) => ready.filter((sandbox) => among(sandbox.function)))
      .map(({ id }) => id);
    const scales = status.functions
      .filter(({ name }) => among(name))
      .map(({ name, desired, ready }) => ({ function: name, desired, ready }));
    const placed = rows.filter((row) => among(row.function));
    return divergence({ leader: placed, workers, dataPlanes, scales } satisfies Views);
  } catch (error) {
    if (!isBatonError(error)) throw error;
    return error.message;
  }
}

/** HASH: once nothing is asked any more, all replicas have applied the same index and hold the same state. */
export async function equalHashes(stage: Stage): Promise<Verdict> {
  let seen: string[] = [];
  try {
    const index = await until('one applied index', HASH_TIMEOUT_MS, stage.signal, async () => {
      const all = await stage.statuses();
      seen = all.map((status) =>
        status === undefined ? '-' : `${status.id} ${status.appliedIndex} ${status.stateHash}`,
      );
      const indexes = new Set(all.map((status) => status?.appliedIndex));
      return indexes.size === 1 && all[0]?.appliedIndex;
    });
    const hashes = new Set(seen.map((line) => line.split(' ')[2]));
    const ok = hashes.size === 1;
    return { ok, what: ok ? `${[...hashes][0]} on all at index ${index}` : seen.join(', ') };
  } catch (error) {
    if (isBatonError(error, 'canceled')) throw error;
    return { ok: false, what: `${explain(error)}: ${seen.join(', ')}` };
  }
}
