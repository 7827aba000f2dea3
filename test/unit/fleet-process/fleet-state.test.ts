/** What each worker of a fleet remembers is durable when it is told so, and theirs alone. */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FleetStateFile } from '../../../src/adapters/worker-state/fleet-state.ts';
import { workerId } from '../../../src/lib/ids.ts';
import type { WorkerState } from '../../../src/ports/worker-state.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'fleet-state-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const [w1, w2] = [workerId('w-1'), workerId('w-2')];
const state = (term: number): WorkerState => ({
  fence: { epoch: 1, term },
  incarnationMs: 1_000 + term,
  cordoned: false,
  draining: false,
});

it('each finds its own again', async () => {
  const path = join(directory, 'fleet.json');
  const states = new FleetStateFile(path);
  expect(await states.of(w1).load()).toBeUndefined();
  await Promise.all([states.of(w1).save(state(3)), states.of(w2).save(state(4))]);
  const again = new FleetStateFile(path);
  expect([await again.of(w1).load(), await again.of(w2).load()]).toEqual([state(3), state(4)]);
});

it('a thousand that save at once share a write, and the last word of each is kept', async () => {
  const path = join(directory, 'fleet.json');
  const states = new FleetStateFile(path);
  const ids = Array.from({ length: 1_000 }, (_, i) => workerId(`w-${i}`));
  let saved = 0;
  const inodes = new Set<number>();
  await Promise.all(
    ids.flatMap((id) =>
      [5, 6].map(async (term) => {
        await states.of(id).save(state(term));
        saved++;
        // Each write makes a file of its own.
        inodes.add(statSync(path).ino);
      }),
    ),
  );
  expect([saved, inodes.size]).toEqual([2_000, 1]);
  const again = new FleetStateFile(path);
  expect(await again.of(workerId('w-999')).load()).toEqual(state(6));
});

it('a damaged file is refused: no worker may forget whom it obeyed', () => {
  const path = join(directory, 'fleet.json');
  writeFileSync(path, '{"w-1": {"fence": 7}}');
  expect(() => new FleetStateFile(path)).toThrow('is damaged');
});

it('who cannot be made durable is told', async () => {
  const states = new FleetStateFile(join(directory, 'fleet.json'));
  writeFileSync(join(directory, 'fleet.json.tmp'), '');
  rmSync(directory, { recursive: true });
  writeFileSync(directory, 'a file where a folder should be');
  await expect(states.of(w1).save(state(1))).rejects.toThrow('cannot write');
});
