/** Cordon and drain: a worker is told, and has said that it has it on its disk, before it is confirmed. */
import type { Leader } from '../core/leader/leader.ts';
import type { DrainRow } from '../core/leader/types.ts';
import type { Cordon } from '../core/model/command.ts';
import { BatonError } from '../lib/errors.ts';
import type { WorkerId } from '../lib/ids.ts';

/** For the worker to be heard of, and again for it to confirm. */
const TIMEOUT_MS = 2_000;

export interface CordonsHost {
  /** @throws BatonError `not-leader` */
  brain(): Leader;
  now(): number;
  /** What was asked of the brain between turns is sent. */
  flush(): void;
  /** False when the time ran out. */
  until(timeoutMs: number, condition: () => boolean): Promise<boolean>;
}

export class Cordons {
  readonly #host: CordonsHost;

  constructor(host: CordonsHost) {
    this.#host = host;
  }

  /** @throws BatonError `not-found`; `not-synced` from a leader too young to tell; `timeout` when it is not confirmed */
  async set(worker: WorkerId, wanted: Cordon): Promise<void> {
    const brain = await this.#tell(worker, wanted);
    this.#host.flush();
    const isConfirmed = (): boolean => {
      const now = brain.cordonOf(worker);
      return now?.on === wanted.on && now.drain === wanted.drain;
    };
    if (await this.#host.until(TIMEOUT_MS, isConfirmed)) return;
    throw new BatonError('timeout', `worker ${worker} has not confirmed it`, {
      hint: 'it is told again while this leader leads; baton get workers shows what it says',
    });
  }

  /** @throws BatonError `not-found`, once reconciliation has closed */
  drainOf(worker: WorkerId): DrainRow {
    const row = this.#host.brain().drainOf(worker);
    if (row === undefined) throw noWorker(worker);
    return row;
  }

  /** Until reconciliation has closed, a worker that is not known may only not have been heard yet. */
  async #tell(worker: WorkerId, wanted: Cordon): Promise<Leader> {
    let brain = this.#host.brain();
    let isTold = false;
    await this.#host.until(TIMEOUT_MS, () => {
      brain = this.#host.brain();
      isTold = brain.cordon(worker, wanted, this.#host.now());
      return isTold || brain.isReconciled;
    });
    if (isTold) return brain;
    if (brain.isReconciled) throw noWorker(worker);
    throw new BatonError('not-synced', `this leader has not heard of worker ${worker} yet`, {
      hint: 'it is new, and hears its workers one after the other; try again',
    });
  }
}

function noWorker(worker: WorkerId): BatonError {
  return new BatonError('not-found', `no worker ${worker}`, { hint: 'baton get workers lists them' });
}
