/**
 * Ports for programs: a cycling cursor that outlives the worker, so that no port serves two sandboxes within ten minutes
 * (R7): a data plane that has missed a withdrawal must not reach another function under an old address.
 */
import { createServer } from 'node:net';
import { join } from 'node:path';
import { BatonError } from '../../../lib/errors.ts';
import type { Clock, Random } from '../../../ports/system.ts';
import { readIfThere, writeDurablySync } from '../../system/durable-file.ts';

const QUARANTINE_MS = 600_000;
/** The file is ahead of the cursor by up to this many, so that it is written once for many starts. */
const AHEAD = 32;

export class PortCursor {
  readonly #path: string;
  readonly #range: { readonly from: number; readonly to: number };
  readonly #clock: Clock;
  /** By port: the last wall time at which it was given out. */
  readonly #given = new Map<number, number>();
  #next: number;
  #persisted = -1;

  constructor(
    directory: string,
    range: { readonly from: number; readonly to: number },
    clock: Clock,
    random: Random,
  ) {
    this.#path = join(directory, 'port-cursor');
    this.#range = range;
    this.#clock = clock;
    const stored = Number(readIfThere(this.#path)?.toString('utf8').trim() ?? Number.NaN);
    const size = range.to - range.from + 1;
    this.#next = Number.isInteger(stored) && stored >= 0 ? stored % size : random.below(size);
  }

  /** @throws BatonError `no-capacity` when every port was used lately or is taken */
  async take(host: string): Promise<number> {
    const size = this.#range.to - this.#range.from + 1;
    for (let tried = 0; tried < size; tried++) {
      const port = this.#range.from + this.#next;
      this.#advance(size);
      const last = this.#given.get(port);
      if (last !== undefined && this.#clock.wall() - last < QUARANTINE_MS) continue;
      this.#given.set(port, this.#clock.wall());
      if (await isFree(port, host)) return port;
    }
    throw new BatonError('no-capacity', 'no port is free for another program', {
      fields: { path: 'ports' },
      hint: 'widen ports in the worker’s configuration',
    });
  }

  #advance(size: number): void {
    this.#next = (this.#next + 1) % size;
    if (this.#persisted >= 0 && this.#next !== this.#persisted) return;
    this.#persisted = (this.#next + AHEAD) % size;
    writeDurablySync(this.#path, `${this.#persisted}\n`);
  }
}

function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
