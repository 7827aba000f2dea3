/** What the members of a cluster of roles show of themselves. */
import type { FunctionRecord } from '../../../../src/core/model/function.ts';
import type { TableView } from '../../../../src/data-plane/table-view.ts';
import type { Oracles } from '../../../sim/oracles.ts';
import type { SimDataPlane, SimReplica, World } from '../../../sim/world.ts';
import type { Picture } from '../picture.ts';
import type { ApiRegistrar } from './api-registrar.ts';
import type { Callers } from './callers.ts';
import type { Witness } from './witness.ts';

interface Shown {
  readonly world: World;
  readonly oracles: Oracles;
  readonly registrar: ApiRegistrar;
  readonly callers: Callers;
  readonly witness: Witness;
  readonly leader: SimReplica | undefined;
  functions(): readonly FunctionRecord[];
}

export function pictureOf(cluster: Shown): Picture {
  const { world, oracles, registrar, callers, witness } = cluster;
  const leader = cluster.leader?.controlPlane;
  const workers = world.alive(world.workers);
  const truth = workers.flatMap(({ worker }) => worker?.sandboxes ?? []);
  const drainedIds = leader?.workers().filter(({ draining }) => draining) ?? [];
  return {
    leader: leader && {
      isReconciled: leader.term().phase === 'reconciled',
      sandboxes: leader.sandboxes(),
    },
    openRequests: callers.open,
    openOperations: registrar.open,
    functions: cluster.functions(),
    possible: (name) => registrar.mutations.possible(name),
    truth,
    drained: drainedIds.map(({ id }) => ({
      id,
      sandboxes: workers
        .filter((worker) => worker.id === id)
        .flatMap(({ worker }) => (worker?.sandboxes ?? []).map((sandbox) => sandbox.id)),
    })),
    registered: `everything up to ${witness.specIndex}`,
    dataPlanes: world.planes.map((plane) => viewOf(plane)),
    otherwise: oracles.unsettled(),
  };
}

function viewOf(plane: SimDataPlane): Picture['dataPlanes'][number] {
  let view: TableView | undefined;
  plane.peerFront.send('/tables', [['x-baton-peer-token', 'peer-token-of-the-simulator']], ({ body }) => {
    if (body !== '') view = JSON.parse(body) as TableView;
  });
  return {
    id: plane.id,
    endpoints: view?.endpoints.map(({ sandbox }) => sandbox) ?? [],
    unconfirmed: view?.unconfirmed ?? 0,
    registered: view === undefined ? 'nothing' : `everything up to ${view.specIndex}`,
  };
}
