/** What each worker of a fleet remembers is durable when it is told so, and theirs alone. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
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
  const path = join(directory, 'fleet.states');
  const states = new FleetStateFile(path);
  expect(await states.of(w1).load()).toBeUndefined();
  await Promise.all([states.of(w1).save(state(3)), states.of(w2).save(state(4))]);
  const again = new FleetStateFile(path);
  expect([await again.of(w1).load(), await again.of(w2).load()]).toEqual([state(3), state(4)]);
});

it('a thousand that save in one turn are durable together, and the last word of each is kept', async () => {
  const path = join(directory, 'fleet.states');
  const states = new FleetStateFile(path);
  const ids = Array.from({ length: 1_000 }, (_, i) => workerId(`w-${i}`));
  let saved = 0;
  const sizes = new Set<number>();
  for (const terms of [
    [5, 6],
    [7, 8],
  ]) {
    await Promise.all(
      ids.flatMap((id) =>
        terms.map(async (term) => {
          await states.of(id).save(state(term));
          saved++;
          sizes.add(statSync(path).size);
        }),
      ),
    );
  }
  expect([saved, sizes.size]).toEqual([4_000, 2]);
  const again = new FleetStateFile(path);
  expect(await again.of(workerId('w-999')).load()).toEqual(state(8));
});

it('the file does not grow for ever', async () => {
  const path = join(directory, 'fleet.states');
  const states = new FleetStateFile(path);
  const sizes: number[] = [];
  for (let term = 1; term <= 100; term++) {
    await states.of(w1).save(state(term));
    sizes.push(statSync(path).size);
  }
  expect(Math.max(...sizes)).toBeLessThan(12 * (sizes[0] ?? 0));
  expect(await new FleetStateFile(path).of(w1).load()).toEqual(state(100));
});

it('a line that was cut short counts for nothing, and was promised to nobody', async () => {
  const path = join(directory, 'fleet.states');
  const states = new FleetStateFile(path);
  await states.of(w1).save(state(3));
  const whole = readFileSync(path);
  await states.of(w1).save(state(4));
  const all = readFileSync(path);
  for (let end = whole.length; end < all.length; end++) {
    writeFileSync(path, all.subarray(0, end));
    expect(await new FleetStateFile(path).of(w1).load()).toEqual(state(3));
  }
});

it('a damaged file is refused: no worker may forget whom it obeyed', () => {
  const path = join(directory, 'fleet.states');
  for (const content of ['{"worker": "w-1", "state": {"fence": 7}}\n', '\n', '{"worker": "w']) {
    writeFileSync(path, content);
    expect(() => new FleetStateFile(path)).toThrow('is damaged');
  }
});

it('who cannot be made durable is told', async () => {
  const states = new FleetStateFile(join(directory, 'fleet.states'));
  writeFileSync(join(directory, 'fleet.states.tmp'), '');
  rmSync(directory, { recursive: true });
  writeFileSync(directory, 'a file where a folder should be');
  await expect(states.of(w1).save(state(1))).rejects.toThrow('cannot write');
});
