import { createServer, type AddressInfo } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { PortCursor, QUARANTINE_MS } from '../../../src/adapters/runtimes/process/ports.ts';
import { prng } from '../../../src/lib/prng.ts';
import { manualClock, temporaryDirectory } from './fixtures.ts';

const HOST = '127.0.0.1';
/** Below the range from which the system takes its own, and away from the default. */
const BASE = 15_000;
const range = (size: number): { from: number; to: number } => ({ from: BASE, to: BASE + size - 1 });

describe('ports for programs', () => {
  test('a port rests for ten minutes after its release, however long it was in use', async () => {
    const clock = manualClock();
    const cursor = new PortCursor(temporaryDirectory(), range(2), clock, prng('rest'));
    const first = await cursor.take(HOST);
    const second = await cursor.take(HOST);
    expect(new Set([first, second]).size).toBe(2);

    clock.advance(QUARANTINE_MS * 3);
    cursor.release(first);
    clock.advance(QUARANTINE_MS - 1);
    await expect(cursor.take(HOST)).rejects.toMatchObject({ code: 'no-capacity' });
    clock.advance(1);
    expect(await cursor.take(HOST)).toBe(first);
  });

  test('a port in use is never given out a second time', async () => {
    const clock = manualClock();
    const cursor = new PortCursor(temporaryDirectory(), range(1), clock, prng('once'));
    await cursor.take(HOST);
    clock.advance(QUARANTINE_MS * 100);
    await expect(cursor.take(HOST)).rejects.toMatchObject({ code: 'no-capacity' });
  });

  test('takes that overlap get different ports', async () => {
    const cursor = new PortCursor(temporaryDirectory(), range(100), manualClock(), prng('overlap'));
    const ports = await Promise.all(Array.from({ length: 40 }, () => cursor.take(HOST)));
    expect(new Set(ports).size).toBe(40);
  });

  test('a restarted worker gives out none that its earlier lives may have had lately', async () => {
    const directory = temporaryDirectory();
    const clock = manualClock();
    const given = new Set<number>();
    for (let life = 0; life < 4; life++) {
      const cursor = new PortCursor(directory, range(400), clock, prng(`life ${life}`));
      for (let i = 0; i < 50; i++) {
        const port = await cursor.take(HOST);
        expect(given).not.toContain(port);
        given.add(port);
        cursor.release(port);
      }
      clock.advance(60_000);
    }
    expect(given.size).toBe(200);
  });

  test.each([1, 2, 3, 4, 5, 6])(
    'one that was in use for an hour before a restart rests after it (%i)',
    async (seed) => {
      const directory = temporaryDirectory();
      const clock = manualClock();
      const before = new PortCursor(directory, range(96), clock, prng(seed));
      const longRunning = await before.take(HOST);
      // Many laps later the blocks of all others have been forgotten and named again, the last at a place that differs.
      for (let lap = 0; lap < 5; lap++) {
        const taken: number[] = [];
        for (let i = 0; i < 40 + 8 * seed; i++) taken.push(await before.take(HOST));
        for (const port of taken) before.release(port);
        clock.advance(QUARANTINE_MS);
      }
      const after = new PortCursor(directory, range(96), clock, prng(seed));
      const all: number[] = [];
      await expect(
        (async () => {
          for (;;) all.push(await after.take(HOST));
        })(),
      ).rejects.toMatchObject({ code: 'no-capacity' });
      expect(all).not.toContain(longRunning);
      clock.advance(QUARANTINE_MS);
      const later: number[] = [];
      for (let i = 0; i < 96 - all.length; i++) later.push(await after.take(HOST));
      expect(later).toContain(longRunning);
    },
  );

  test('a port that somebody else listens on is skipped', async () => {
    const squatter = createServer();
    await new Promise<void>((ready) => squatter.listen({ host: HOST, port: 0 }, ready));
    onTestFinished(() => void squatter.close());
    const { port } = squatter.address() as AddressInfo;
    const cursor = new PortCursor(
      temporaryDirectory(),
      { from: port, to: port },
      manualClock(),
      prng('squatter'),
    );
    await expect(cursor.take(HOST)).rejects.toMatchObject({ code: 'no-capacity' });
  });

  test.each(['', 'nonsense', '42', 'null', '{"next":-1,"blocks":[]}', '{"next":1e9,"blocks":"x"}'])(
    'a file that says %j is as good as none',
    async (text) => {
      const directory = temporaryDirectory();
      writeFileSync(join(directory, 'port-cursor'), text);
      const cursor = new PortCursor(directory, range(64), manualClock(), prng('damage'));
      const port = await cursor.take(HOST);
      expect(port).toBeGreaterThanOrEqual(BASE);
      expect(port).toBeLessThan(BASE + 64);
    },
  );
});
