/**
 * The memories of all workers of a fleet in one file. What several of them want to remember at the same moment, as they do when
 * a new leader is heard, becomes durable with one write.
 */
import * as z from 'zod';
import type { WorkerId } from '../../lib/ids.ts';
import type { WorkerState, WorkerStateFile } from '../../ports/worker-state.ts';
import { writeDurably } from '../system/durable-file.ts';
import { readState, workerStateSchema } from './worker-state.ts';

const schema = z.record(z.string(), workerStateSchema);

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class FleetStateFile {
  readonly #path: string;
  readonly #states: Record<string, WorkerState>;
  #waiting: Waiting[] = [];
  #writing = false;

  /** @throws BatonError `io` or `damaged` */
  constructor(path: string) {
    this.#path = path;
    this.#states = readState(path, schema) ?? {};
  }

  of(worker: WorkerId): WorkerStateFile {
    return {
      load: () => Promise.resolve(this.#states[worker]),
      save: (state) => {
        this.#states[worker] = state;
        return new Promise((resolve, reject) => {
          this.#waiting.push({ resolve, reject });
          void this.#write();
        });
      },
    };
  }

  /** What comes while one write runs goes with the next. */
  async #write(): Promise<void> {
    if (this.#writing) return;
    this.#writing = true;
    // The rest of this turn's saves.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const served = this.#waiting;
      this.#waiting = [];
      try {
        await writeDurably(this.#path, `${JSON.stringify(this.#states)}\n`);
        for (const { resolve } of served) resolve();
      } catch (error) {
        for (const { reject } of served) reject(error);
      }
    }
    this.#writing = false;
  }
}
