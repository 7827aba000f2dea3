/** A worker's memory as a small JSON file, whole after a crash. */
import * as z from 'zod';
import { BatonError } from '../../lib/errors.ts';
import type { WorkerState, WorkerStateFile } from '../../ports/worker-state.ts';
import { writeDurably } from '../system/durable-file.ts';
import { readIfThere } from '../system/node-files.ts';

const whole = z.int().min(0);
export const workerStateSchema: z.ZodType<WorkerState> = z.object({
  fence: z.object({ epoch: whole, term: whole }),
  incarnationMs: whole,
  cordoned: z.boolean(),
});

export function workerStateFile(path: string): WorkerStateFile {
  return {
    load: () => Promise.resolve().then(() => readState(path, workerStateSchema)),
    save: (state) => writeDurably(path, `${JSON.stringify(state)}\n`),
  };
}

/** Undefined where the file is not there. @throws BatonError `io` or `damaged` */
export function readState<T>(path: string, schema: z.ZodType<T>): T | undefined {
  const bytes = readIfThere(path);
  if (bytes === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    throw new BatonError('damaged', `${path} is damaged`, {
      fields: { path },
      hint: 'a worker must not forget the highest fence that it obeyed: remove the file only when no old leader can be alive',
      cause,
    });
  }
}
