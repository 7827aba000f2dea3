/** What a worker remembers is there when it was told so, whatever moment takes its power; and nothing else is ever believed. */
import { expect, it } from 'vitest';
import { workerStateFile, workerStateSchema } from '../../../src/adapters/worker-state/worker-state.ts';
import { prng } from '../../../src/lib/prng.ts';
import type { Files } from '../../../src/ports/files.ts';
import type { WorkerState } from '../../../src/ports/worker-state.ts';
import { SimProcess } from '../../sim/process.ts';
import { Scheduler } from '../../sim/scheduler.ts';
import { SimDrive, SimFiles } from '../../sim/sim-files.ts';

const PATH = '/w1/worker.state';
const state = (term: number, cordoned = false): WorkerState => ({
  fence: { epoch: 1, term },
  incarnationMs: 1_000 + term,
  cordoned,
  draining: cordoned,
});

class Machine {
  readonly drive = new SimDrive(false);
  readonly #scheduler = new Scheduler();
  readonly #seed: number;
  #lives = 0;
  process: SimProcess | undefined;

  constructor(seed: number) {
    this.#seed = seed;
  }

  life(): ReturnType<typeof workerStateFile> {
    this.process = new SimProcess(`life-${++this.#lives}`, this.#scheduler);
    const files = new SimFiles(this.drive, this.process, prng(`${this.#seed}/${this.#lives}`));
    files.makeFolder();
    return workerStateFile(PATH, files);
  }

  /** Undefined: the process died before. */
  async finish<T>(work: Promise<T>): Promise<{ readonly value: T } | undefined> {
    let done: { readonly value: T } | undefined;
    void work.then((value) => (done = { value }));
    const { process } = this;
    await this.#scheduler.runUntil(
      this.#scheduler.nowMs + 1_000,
      () => done !== undefined || process?.alive === false,
    );
    return done;
  }
}

it('finds nothing at first, and then what was saved last', async () => {
  const machine = new Machine(1);
  const first = machine.life();
  expect(await machine.finish(first.load())).toEqual({ value: undefined });
  for (const term of [3, 4, 5]) await machine.finish(first.save(state(term, term === 5)));
  const second = machine.life();
  expect(await machine.finish(second.load())).toEqual({ value: state(5, true) });
  await machine.finish(second.save(state(6)));
  expect(await machine.finish(machine.life().load())).toEqual({ value: state(6) });
});

it('has the last state that was saved, or the one that was on its way, whenever power goes', async () => {
  let crashes = 0;
  for (let seed = 0; seed < 40; seed++)
    for (let moment = 1; ; moment++) {
      const machine = new Machine(seed);
      const file = machine.life();
      await machine.finish(file.load());
      await machine.finish(file.save(state(7)));
      let seen = 0;
      machine.drive.onSync = () => {
        if (++seen === moment) machine.process?.kill();
      };
      const isSaved = (await machine.finish(file.save(state(8)))) !== undefined;
      machine.drive.onSync = undefined;
      const found = await machine.finish(machine.life().load());
      const allowed = isSaved ? [state(8)] : [state(7), state(8)];
      expect(allowed, `seed ${seed}, moment ${moment}`).toContainEqual(found?.value);
      if (isSaved) break;
      crashes++;
    }
  // Before and after the sync of each slot.
  expect(crashes).toBe(40 * 4);
});

it('knows nothing of a drain that an earlier version could not save', () => {
  const { draining: _, ...earlier } = state(3, true);
  expect(workerStateSchema.parse(earlier)).toEqual({ ...state(3, true), draining: false });
});

it('survives any one damaged byte, and says so where both slots are', async () => {
  const save = async (): Promise<Machine> => {
    const machine = new Machine(2);
    const file = machine.life();
    await machine.finish(file.load());
    await machine.finish(file.save(state(7)));
    return machine;
  };
  const random = prng('bytes');
  for (let i = 0; i < 30; i++) {
    const machine = await save();
    machine.drive.rot('/w1', random);
    expect(await machine.finish(machine.life().load())).toEqual({ value: state(7) });
  }
  const zeroes: Pick<Files, 'read'> = { read: () => Buffer.alloc(8_192) };
  await expect(workerStateFile(PATH, zeroes as Files).load()).rejects.toThrow('is damaged');
});
