/**
 * R2, in the tables of data planes: while a leader has not reconciled, no endpoint goes that serves and is wanted, but by a withdrawal of
 * that leader (which the witness judges) or because the sandbox refused a connection.
 */
import { compareFence, type Fence } from '../../../../src/core/model/fence.ts';
import type { SimDataPlane, World } from '../../../sim/world.ts';
import { tableOf } from './table.ts';
import type { Witness } from './witness.ts';

interface Look {
  readonly process: SimDataPlane['process'];
  readonly fence: Fence;
  readonly sandboxes: readonly string[];
}

export class Drops {
  readonly #world: World;
  readonly #witness: Witness;
  readonly #last = new Map<string, Look>();

  constructor(world: World, witness: Witness) {
    this.#world = world;
    this.#witness = witness;
  }

  sample(): void {
    for (const plane of this.#world.planes) {
      const view = tableOf(plane);
      if (view === undefined) continue;
      const { epoch, term, endpoints } = view;
      const look: Look = {
        process: plane.process,
        fence: { epoch, term },
        sandboxes: endpoints.map(({ sandbox }) => sandbox),
      };
      this.#judge(plane.id, look);
      this.#last.set(plane.id, look);
    }
  }

  #judge(id: string, { process, fence, sandboxes }: Look): void {
    const last = this.#last.get(id);
    // What changed between two leaders may be the work of either.
    if (last?.process !== process || compareFence(last?.fence ?? fence, fence) !== 0) return;
    if (!this.#witness.isReconciling(fence)) return;
    const held = new Set(sandboxes);
    for (const sandbox of last?.sandboxes ?? []) {
      if (held.has(sandbox) || this.#witness.mayGo(id, sandbox)) continue;
      this.#world.violation(`R2: ${id} drops ${sandbox}, which term ${fence.term} never withdrew`);
    }
  }
}
