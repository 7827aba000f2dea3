/** The endpoint table as one data plane holds it, for whoever compares views: on the peer listener, by its token. */
import { limits } from '../lib/limits.ts';
import type { Tables } from './tables.ts';

export interface TableView {
  readonly epoch: number;
  readonly term: number;
  readonly seq: number;
  readonly specIndex: number;
  /** Not confirmed by the leader of this term. */
  readonly unconfirmed: number;
  /** Also those that `endpoints` is too long for. */
  readonly total: number;
  readonly endpoints: readonly {
    readonly sandbox: string;
    readonly function: string;
    readonly generation: number;
    readonly worker: string;
    readonly address: string;
  }[];
}

export function tableView({ endpoints, specs }: Pick<Tables, 'endpoints' | 'specs'>): TableView {
  const { fence, seq, unconfirmed, size } = endpoints;
  return {
    epoch: fence.epoch,
    term: fence.term,
    seq,
    specIndex: specs.specIndex,
    unconfirmed,
    total: size,
    endpoints: endpoints
      .endpoints()
      .slice(0, limits.tableViewRows)
      .map(({ sandbox, uid, generation, worker, address }) => ({
        sandbox,
        function: specs.get(uid)?.spec.name ?? '',
        generation,
        worker,
        address,
      })),
  };
}
