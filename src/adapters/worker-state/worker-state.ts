/**
 * A worker's memory in a small file of two slots that are overwritten in place. A new leader waits for it: workers have its fence on the
 * disk before they act or report under it, so a save is two short writes, each waited for, and no new file, name or folder.
 *
 *   W1  `save` resolves once both slots are on the disk, one after the other: no crash and no single damage takes both;
 *   W2  of two slots that can be read the later one counts; where there is a file and neither can be read, that is damage.
 */
import * as z from 'zod';
import { BatonError } from '../../lib/errors.ts';
import type { Files, OpenFile } from '../../ports/files.ts';
import type { WorkerState, WorkerStateFile } from '../../ports/worker-state.ts';
import { seal, unseal } from '../log-file/records.ts';
import { writeDurably } from '../system/durable-file.ts';
import { nodeFiles } from '../system/node-files.ts';

const whole = z.int().min(0);
export const workerStateSchema: z.ZodType<WorkerState> = z.object({
  fence: z.object({ epoch: whole, term: whole }),
  incarnationMs: whole,
  cordoned: z.boolean(),
  draining: z.boolean().default(false),
});
const slotSchema = z.object({ seq: whole, state: workerStateSchema });

/** A page each: nothing writes to both at once. */
const SLOT_BYTES = 4_096;
const SLOTS = [0, 1] as const;

export function workerStateFile(path: string, files: Files = nodeFiles): WorkerStateFile {
  return new SlotFile(path, files);
}

class SlotFile implements WorkerStateFile {
  readonly #path: string;
  readonly #files: Files;
  #file: OpenFile | undefined;
  #seq = 0;
  /** One save after the other: they write to the same places. */
  #saves: Promise<void> = Promise.resolve();

  constructor(path: string, files: Files) {
    this.#path = path;
    this.#files = files;
  }

  /** Not async, and yet a promise that rejects. */
  load(): Promise<WorkerState | undefined> {
    return Promise.resolve().then(() => {
      const bytes = this.#files.read(this.#path);
      if (bytes === undefined) return undefined;
      const slots = SLOTS.map((slot) => readSlot(bytes, slot)).filter((found) => found !== undefined);
      const latest = slots.toSorted((a, b) => b.seq - a.seq)[0];
      if (latest === undefined) throw damaged(this.#path);
      this.#seq = latest.seq;
      return latest.state;
    });
  }

  save(state: WorkerState): Promise<void> {
    const saved = this.#saves.then(() => this.#save(state));
    this.#saves = saved.catch(() => undefined);
    return saved;
  }

  async #save(state: WorkerState): Promise<void> {
    const content = encodeSlot(++this.#seq, state);
    if (this.#file === undefined && !this.#files.exists(this.#path))
      return writeDurably(this.#path, Buffer.concat([content, content]), this.#files);
    try {
      this.#file ??= await this.#files.open(this.#path, 'overwrite');
      for (const slot of SLOTS) {
        await this.#file.write(content, slot * SLOT_BYTES);
        await this.#file.datasync();
      }
    } catch (cause) {
      throw new BatonError('io', `cannot write ${this.#path}`, { fields: { path: this.#path }, cause });
    }
  }
}

function encodeSlot(seq: number, state: WorkerState): Buffer {
  const slot = Buffer.alloc(SLOT_BYTES);
  seal(Buffer.from(JSON.stringify({ seq, state }))).copy(slot);
  return slot;
}

/** Undefined where it was torn or damaged. */
function readSlot(bytes: Buffer, slot: number): z.output<typeof slotSchema> | undefined {
  const content = unseal(bytes.subarray(slot * SLOT_BYTES, (slot + 1) * SLOT_BYTES));
  if (content === undefined) return undefined;
  return slotSchema.safeParse(JSON.parse(Buffer.from(content).toString('utf8'))).data;
}

export function damaged(path: string, cause?: unknown): BatonError {
  return new BatonError('damaged', `${path} is damaged`, {
    fields: { path },
    hint: 'a worker must not forget the highest fence that it obeyed: remove the file only when no old leader can be alive',
    cause,
  });
}
