/**
 * The memories of all workers of a fleet in one file, a line for each that changed, the last one counts. What several of them want to
 * remember in the same turn, as they do when a new leader is heard, becomes durable together: one short write and one sync, waited for
 * in place, because thousands of turns that each wait for another thread are what takes long.
 */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import * as z from 'zod';
import { BatonError } from '../../lib/errors.ts';
import { workerId, type WorkerId } from '../../lib/ids.ts';
import type { WorkerState, WorkerStateFile } from '../../ports/worker-state.ts';
import { writeDurablySync } from '../system/durable-file.ts';
import { readIfThere } from '../system/node-files.ts';
import { damaged, workerStateSchema } from './worker-state.ts';

const lineSchema = z.object({ worker: z.string(), state: workerStateSchema });
/** Lines per worker before the file is written anew, with one for each. */
const LINES_PER_WORKER = 8;

interface Waiting {
  readonly worker: WorkerId;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class FleetStateFile {
  readonly #path: string;
  readonly #states: Map<WorkerId, WorkerState>;
  #lines = Number.POSITIVE_INFINITY;
  #file: number | undefined;
  #waiting: Waiting[] = [];

  /** @throws BatonError `io` or `damaged` */
  constructor(path: string) {
    this.#path = path;
    this.#states = readLines(path);
  }

  of(worker: WorkerId): WorkerStateFile {
    return {
      load: () => Promise.resolve(this.#states.get(worker)),
      save: (state) => {
        this.#states.set(worker, state);
        return new Promise((resolve, reject) => {
          if (this.#waiting.push({ worker, resolve, reject }) === 1) setImmediate(() => this.#write());
        });
      },
    };
  }

  #write(): void {
    const served = this.#waiting;
    this.#waiting = [];
    try {
      this.#append(new Set(served.map(({ worker }) => worker)));
    } catch (cause) {
      // What is there now, nobody knows: the next write begins anew.
      this.#lines = Number.POSITIVE_INFINITY;
      const path = this.#path;
      const error = new BatonError('io', `cannot write ${path}`, { fields: { path }, cause });
      for (const { reject } of served) reject(error);
      return;
    }
    for (const { resolve } of served) resolve();
  }

  #append(workers: ReadonlySet<WorkerId>): void {
    if (this.#file === undefined || this.#lines + workers.size > LINES_PER_WORKER * this.#states.size) {
      if (this.#file !== undefined) closeSync(this.#file);
      this.#file = undefined;
      writeDurablySync(this.#path, this.#linesOf(this.#states.keys()));
      this.#lines = this.#states.size;
      this.#file = openSync(this.#path, 'a');
      return;
    }
    const bytes = Buffer.from(this.#linesOf(workers));
    for (let at = 0; at < bytes.length;) at += writeSync(this.#file, bytes, at);
    fdatasyncSync(this.#file);
    this.#lines += workers.size;
  }

  #linesOf(workers: Iterable<WorkerId>): string {
    let lines = '';
    for (const worker of workers) lines += `${JSON.stringify({ worker, state: this.#states.get(worker) })}\n`;
    return lines;
  }
}

/** A last line that is not whole was never waited for to its end: nobody acted on it. */
function readLines(path: string): Map<WorkerId, WorkerState> {
  const states = new Map<WorkerId, WorkerState>();
  const text = readIfThere(path)?.toString('utf8') ?? '';
  for (const line of text.slice(0, text.lastIndexOf('\n') + 1).split('\n')) {
    if (line === '') continue;
    try {
      const { worker, state } = lineSchema.parse(JSON.parse(line));
      states.set(workerId(worker), state);
    } catch (cause) {
      throw damaged(path, cause);
    }
  }
  if (states.size === 0 && text !== '') throw damaged(path);
  return states;
}
