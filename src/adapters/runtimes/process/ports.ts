/**
 * Ports for programs, from a cycling cursor that outlives the worker: a data plane that has missed a withdrawal must not
 * reach another function under an old address (R7).
 *
 *   Q1  a port is not given out again until ten minutes after it was released;
 *   Q2  every port is in a block that the file names from before it is given out until its quarantine is over; after a
 *       restart the whole of each named block is in quarantine, because nobody knows when its ports fell silent.
 */
import { createServer } from 'node:net';
import { join } from 'node:path';
import { BatonError } from '../../../lib/errors.ts';
import type { Clock, Random } from '../../../ports/system.ts';
import { writeDurablySync } from '../../system/durable-file.ts';
import { readIfThere } from '../../system/node-files.ts';

export const QUARANTINE_MS = 600_000;
/** The file names whole blocks, so that it is written once for many starts. */
const BLOCK = 32;

interface Stored {
  /** Offset into the range at which the search goes on. */
  readonly next: number;
  readonly blocks: readonly number[];
}

export interface PortRange {
  readonly from: number;
  readonly to: number;
}

export class PortCursor {
  readonly #path: string;
  readonly #range: PortRange;
  readonly #size: number;
  readonly #clock: Clock;
  /** By offset: when it may be given out again; Infinity while it is in use. */
  readonly #barredUntil = new Map<number, number>();
  /** Blocks that the file names. */
  #blocks: Set<number>;
  #next: number;

  constructor(directory: string, range: PortRange, clock: Clock, random: Random) {
    this.#path = join(directory, 'port-cursor');
    this.#range = range;
    this.#size = range.to - range.from + 1;
    this.#clock = clock;
    const stored = decode(readIfThere(this.#path)?.toString('utf8') ?? '');
    this.#next = stored === undefined ? random.below(this.#size) : stored.next % this.#size;
    this.#blocks = new Set(stored?.blocks);
    const until = clock.now() + QUARANTINE_MS;
    for (const block of this.#blocks)
      for (const offset of this.#offsets(block)) this.#barredUntil.set(offset, until);
  }

  /** @throws BatonError `no-capacity` when every port was used lately or is taken */
  async take(host: string): Promise<number> {
    for (let tried = 0; tried < this.#size; tried++) {
      const offset = this.#next;
      this.#next = (offset + 1) % this.#size;
      if (this.#isBarred(offset)) continue;
      this.#name(Math.floor(offset / BLOCK));
      this.#barredUntil.set(offset, Number.POSITIVE_INFINITY);
      const port = this.#range.from + offset;
      if (await isFree(port, host)) return port;
      this.#barredUntil.delete(offset);
    }
    throw new BatonError('no-capacity', 'no port is free for another program', {
      fields: { path: 'ports' },
      hint: 'widen ports in the worker’s configuration',
    });
  }

  /** Its sandbox has ended. */
  release(port: number): void {
    this.#barredUntil.set(port - this.#range.from, this.#clock.now() + QUARANTINE_MS);
  }

  #isBarred(offset: number): boolean {
    return (this.#barredUntil.get(offset) ?? Number.NEGATIVE_INFINITY) > this.#clock.now();
  }

  #offsets(block: number): readonly number[] {
    const from = block * BLOCK;
    return Array.from({ length: Math.max(0, Math.min(BLOCK, this.#size - from)) }, (_, i) => from + i);
  }

  /** Q2: on disk before the first port of it is given out; blocks that nobody can remember any more are left out. */
  #name(block: number): void {
    if (this.#blocks.has(block)) return;
    const kept = [...this.#blocks].filter((other) =>
      this.#offsets(other).some((offset) => this.#isBarred(offset)),
    );
    const stored: Stored = { next: ((block + 1) * BLOCK) % this.#size, blocks: [...kept, block] };
    writeDurablySync(this.#path, `${JSON.stringify(stored)}\n`);
    this.#blocks = new Set(stored.blocks);
  }
}

/** A file that says nothing sensible is as good as none: the cursor then begins anywhere. */
function decode(text: string): Stored | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { next, blocks } = value as Record<string, unknown>;
  if (!isOffset(next) || !Array.isArray(blocks)) return undefined;
  return { next, blocks: blocks.filter(isOffset) };
}

function isOffset(candidate: unknown): candidate is number {
  return (
    typeof candidate === 'number' && Number.isSafeInteger(candidate) && candidate >= 0 && candidate < 65_536
  );
}

function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
