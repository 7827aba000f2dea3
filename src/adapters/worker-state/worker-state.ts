/** A worker's memory as a small JSON file, whole after a crash. */
import * as z from 'zod';
import { BatonError } from '../../lib/errors.ts';
import type { WorkerState, WorkerStateFile } from '../../ports/worker-state.ts';
import { writeDurably } from '../system/durable-file.ts';
import { readIfThere } from '../system/node-files.ts';

const whole = z.int().min(0);
const schema = z.object({
  fence: z.object({ epoch: whole, term: whole }),
  incarnationMs: whole,
  cordoned: z.boolean(),
});

export function workerStateFile(path: string): WorkerStateFile {
  return {
    async load(): Promise<WorkerState | undefined> {
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
    },
    save: (state) => writeDurably(path, `${JSON.stringify(state)}\n`),
  };
}
