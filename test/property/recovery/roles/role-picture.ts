/** What the members of a cluster of roles show of themselves. */
import type { FunctionRecord } from '../../../../src/core/model/function.ts';
import type { ControlPlane } from '../../../../src/control-plane/control-plane.ts';
import type { Oracles } from '../../../sim/oracles.ts';
import type { SimReplica, World } from '../../../sim/world.ts';
import type { Picture } from '../picture.ts';
import type { ApiRegistrar } from './api-registrar.ts';
import type { Callers } from './callers.ts';
import type { Committed } from './committed.ts';
import { tableOf } from './table.ts';
import type { Witness } from './witness.ts';

interface Shown {
  readonly world: World;
  readonly oracles: Oracles;
  readonly registrar: ApiRegistrar;
  readonly callers: Callers;
  readonly witness: Witness;
  readonly committed: Committed;
  readonly leader: SimReplica | undefined;
  functions(): readonly FunctionRecord[];
}

export function pictureOf(cluster: Shown): Picture {
  const { world, oracles, registrar, callers, witness, committed } = cluster;
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
    dataPlanes: world.planes.map((plane) => {
      const view = tableOf(plane);
      return {
        id: plane.id,
        endpoints: view?.endpoints.map(({ sandbox }) => sandbox) ?? [],
        unconfirmed: view?.unconfirmed ?? 0,
        registered: view === undefined ? 'nothing' : `everything up to ${view.specIndex}`,
      };
    }),
    otherwise: oracles.unsettled() ?? unlike(leader, committed),
  };
}

/** R5. */
function unlike(leader: ControlPlane | undefined, { registry }: Committed): string | undefined {
  if (leader === undefined || leader.stateHash() === registry.hash) return undefined;
  return 'R5: the leader has another state than what was committed makes';
}
