/** What is committed, read from the disks of the replicas: the reference for what is registered. */
import { decodeMetadataCommand } from '../../../../src/wire/metadata-codec.ts';
import type { World } from '../../../sim/world.ts';
import { Registry } from '../registry.ts';

const MAJORITY = 2;

export class Committed {
  readonly registry: Registry = new Registry();
  readonly #world: World;
  /** By request id: where it was committed first. */
  readonly #indexes = new Map<string, number>();
  #applied = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** @returns undefined: it is not there, or not yet */
  indexOf(requestId: string): number | undefined {
    this.catchUp();
    return this.#indexes.get(requestId);
  }

  /** Up to what any replica has applied, as far as a majority has it on its disks. */
  catchUp(): void {
    const { replicas } = this.#world;
    const applied = this.#world
      .alive(replicas)
      .map(({ controlPlane }) => (controlPlane?.isReady() === true ? controlPlane.raft().applied : 0));
    const last = Math.max(0, ...applied);
    while (this.#applied < last) {
      const data = this.#entry(this.#applied + 1);
      if (data === undefined) return;
      const command = decodeMetadataCommand(data);
      this.registry.onApplied(++this.#applied, command);
      if (command.kind === 'no-op') continue;
      const id = `${command.requestId.base}-${command.requestId.nonce}`;
      if (!this.#indexes.has(id)) this.#indexes.set(id, this.#applied);
    }
  }

  #entry(index: number): Uint8Array | undefined {
    const terms = new Map<number, number>();
    for (const { disk } of this.#world.replicas) {
      const { entries } = disk.log;
      const entry = entries[index - (entries[0]?.index ?? 1)];
      if (entry === undefined) continue;
      const holders = (terms.get(entry.term) ?? 0) + 1;
      if (holders === MAJORITY) return entry.data;
      terms.set(entry.term, holders);
    }
    return undefined;
  }
}
