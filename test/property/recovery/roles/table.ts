/** The endpoint table of a data plane, as it shows it to its peers. */
import type { TableView } from '../../../../src/data-plane/table-view.ts';
import { PEER_TOKEN, type SimDataPlane } from '../../../sim/world.ts';

/** Undefined: it does not listen. */
export function tableOf({ process, peerFront }: SimDataPlane): TableView | undefined {
  let view: TableView | undefined;
  if (process?.alive !== true) return undefined;
  peerFront.send('/tables', [['x-baton-peer-token', PEER_TOKEN]], ({ status, body }) => {
    if (status === 200) view = JSON.parse(body) as TableView;
  });
  return view;
}
