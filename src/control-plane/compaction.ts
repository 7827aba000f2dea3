/**
 * Snapshots of the applied state, so that the log stays short. In slices among the other work: a large state takes longer to
 * encode than an election waits, and all replicas come to it at the same index.
 */
import type { MetadataState } from '../core/metadata/metadata-state.ts';
import type { Snapshot } from '../core/raft/types.ts';
import { encodeMetadataSnapshotInParts } from '../wire/metadata-codec.ts';
import type { ControlPlaneConfig, ControlPlanePorts } from './config.ts';
import type { TurnLoop } from './turn-loop.ts';

/** Entries kept behind a snapshot, so that a follower that is a little behind needs no snapshot. */
const KEEP_ENTRIES = 1_000;

export interface CompactionEvents {
  /** Durable; entries below `keepFrom` are dropped. */
  readonly onCompacted: (snapshot: Snapshot, keepFrom: number) => void;
  readonly onFailed: (error: unknown) => void;
}

export class Compaction {
  readonly #config: Pick<ControlPlaneConfig, 'snapshotEvery' | 'tickMs'>;
  readonly #ports: Pick<ControlPlanePorts, 'clock' | 'store'>;
  readonly #loop: TurnLoop;
  readonly #events: CompactionEvents;
  /** Of the last snapshot that was taken or restored. */
  #index = 0;
  #running = false;

  constructor(
    config: Pick<ControlPlaneConfig, 'snapshotEvery' | 'tickMs'>,
    ports: Pick<ControlPlanePorts, 'clock' | 'store'>,
    loop: TurnLoop,
    events: CompactionEvents,
  ) {
    this.#config = config;
    this.#ports = ports;
    this.#loop = loop;
    this.#events = events;
  }

  /** The state begins anew with a snapshot at `index`. */
  restored(index: number): void {
    this.#index = index;
  }

  /** Begins a snapshot when enough was applied since the last. @param term of the entry that was applied last */
  consider(state: MetadataState, term: number): void {
    const index = state.appliedIndex;
    // A large state is worth a longer log: what a snapshot costs is spread over as many commands.
    const every = Math.max(this.#config.snapshotEvery, state.entries / 2);
    if (this.#running || index - this.#index < every) return;
    this.#running = true;
    this.#index = index;
    const parts = encodeMetadataSnapshotInParts(state.snapshot());
    const encoded: Uint8Array[] = [];
    const step = (): void => {
      const { value, done } = parts.next();
      if (done === true) return this.#store({ index, term, data: Buffer.concat(encoded) });
      encoded.push(value);
      if (!this.#loop.bulk(step)) this.#ports.clock.after(this.#config.tickMs, step);
    };
    step();
  }

  #store(snapshot: Snapshot): void {
    const keepFrom = Math.max(1, snapshot.index - KEEP_ENTRIES);
    this.#ports.store.compact(snapshot, keepFrom).then(
      () => {
        this.#running = false;
        this.#events.onCompacted(snapshot, keepFrom);
        return undefined;
      },
      (error: unknown) => this.#events.onFailed(error),
    );
  }
}
