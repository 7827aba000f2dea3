/** The leader killed, stopped and cut off, each once, under all kinds of traffic. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { killLeader, suspendLeader } from '../../chaos/faults/outages.ts';
import { partitionLeader } from '../../chaos/faults/partitions.ts';
import { run, type RunResult } from '../../chaos/runner.ts';
import { siege, type Siege } from '../../chaos/siege.ts';
import { provision } from '../../cluster/provision/provision.ts';
import { explain } from '../../src/lib/errors.ts';

/** Undefined: it is there. */
const missing = await provision('toxiproxy-server', () => undefined).then(
  () => undefined,
  (error: unknown) => explain(error),
);
if (missing !== undefined) process.stderr.write(`SKIPPED: no partition is tested here: ${missing}\n`);

const cutOff: Siege['strike'] = (play, random) => partitionLeader(play, random, 'outward');
const strikes = [killLeader, suspendLeader, ...(missing === undefined ? [cutOff] : [])];

const quick = siege({
  name: 'quick',
  about: 'the leader killed, stopped, and cut off so that it hears and cannot speak',
  plan: missing === undefined ? { nats: 3, proxied: ['bus'] } : {},
  traffic: { functions: 2, ratePerSecond: 50, cold: { functions: 8, everyMs: 1_000 }, clients: 2 },
  strike: async (play, random, n) => strikes[n]?.(play, random, n),
  leaderChanges: (count) => count,
  // Where it is slow, a worker may be silent for long.
  isStable: false,
});

const folder = mkdtempSync(join(tmpdir(), 'baton-e2e-partitions-'));
let result: RunResult;
beforeAll(async () => {
  const options = { seed: 6, count: strikes.length, directory: join(folder, 'cluster') };
  result = await run(quick, options, new AbortController().signal, () => undefined);
}, 180_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a leader that is lost', () => {
  it('costs nobody a request, and nothing that was acknowledged', () => {
    expect(Object.entries(result.verdicts).filter(([, { ok }]) => !ok)).toEqual([]);
    expect(result.leaderChanges).toBeGreaterThanOrEqual(strikes.length);
  });

  it('was killed, and stopped and woken', () => {
    const kinds = result.timeline.faults.map(({ kind }) => kind);
    expect(kinds.slice(0, 2)).toEqual(['leader-kill', 'leader-pause']);
  });

  it.skipIf(missing !== undefined)('was cut off so that nobody heard it, which the cut itself shows', () => {
    const proof = result.timeline.faults.find(({ kind }) => kind === 'leader-partition')?.proof;
    expect(proof).toMatch(/^0 of \d+ messages crossed n\d→n\d, n\d→n\d; flows /);
  });
});
