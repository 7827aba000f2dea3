/** A short piece of the chaos suite, and what an interruption leaves behind. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { run } from '../../chaos/runner.ts';
import { metadata } from '../../chaos/scenarios/metadata.ts';
import { recovery } from '../../chaos/scenarios/recovery.ts';
import { packageRoot } from '../../cluster/package-root.ts';
import { processOf } from '../../cluster/local/processes.ts';
import { until } from './harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'baton-e2e-chaos-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('three kills, a lost disk, a flipped byte and a full disk', () => {
  it('leave a history that one registry could have produced', { timeout: 120_000 }, async () => {
    const told: string[] = [];
    const result = await run(
      metadata,
      { seed: 11, count: 3, disks: ['wipe', 'flip', 'full-disk'], directory: join(folder, 'short') },
      new AbortController().signal,
      (line) => told.push(line),
    );
    const failed = Object.entries(result.verdicts).filter(([, { ok }]) => !ok);
    expect(failed, told.at(-1)).toEqual([]);
    expect(result.ok).toBe(true);
    expect(result.faults).toEqual({ kill: 3, wipe: 1, flip: 1, 'full-disk': 1 });
    expect(result.leaderChanges).toBeGreaterThan(0);
    expect(result.figures['operations']).toBeGreaterThanOrEqual(300);
    const proofOf = (wanted: string): string[] =>
      result.timeline.faults.flatMap(({ kind, proof }) => (kind === wanted ? [proof] : []));
    expect(proofOf('wipe')).toEqual([expect.stringContaining('joined without a vote (empty)')]);
    expect(proofOf('flip')).toEqual([expect.stringMatching(/damaged/)]);
    expect(proofOf('full-disk')).toEqual([expect.stringMatching(/^(ENOSPC|EFBIG) /)]);
  });
});

describe('a leader and a worker killed in the same instant', () => {
  it('cost nobody a request, and everything is as it was', { timeout: 180_000 }, async () => {
    const result = await run(
      recovery,
      { seed: 12, count: 1, directory: join(folder, 'recovery') },
      new AbortController().signal,
      () => undefined,
    );
    // How long anything took is for the long run to say.
    const { gone: _timing, ...verdicts } = result.verdicts;
    expect(Object.entries(verdicts).filter(([, { ok }]) => !ok)).toEqual([]);
    expect(result.steps).toMatchObject([{ round: 1, failures: 0 }]);
    // A starved machine may change its leader once more: how often is what bench:stability is for.
    expect(result.timeline.leaders.length).toBeGreaterThanOrEqual(2);
    expect(result.timeline.faults).toMatchObject([{ kind: 'kill' }]);
  });
});

describe('an interruption', () => {
  it('stops the cluster in the middle of a fault', { timeout: 60_000 }, async () => {
    const directory = join(folder, 'interrupted');
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', 'chaos/main.ts', '--scenario', 'metadata', '--kills', '50', '--dir', directory],
      { cwd: packageRoot(), stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const running = (): string[] =>
      existsSync(directory)
        ? readdirSync(directory).filter((id) => processOf(join(directory, id)) !== undefined)
        : [];
    await until('a kill under way', () => said.includes('kills ') && running().length < 5, 40_000);
    const pids = running().map((id) => processOf(join(directory, id))?.pid ?? 0);
    child.kill('SIGINT');
    const code = await new Promise((resolve) => void child.once('exit', resolve));
    expect(code, said).toBe(130);
    expect(said.trimEnd().split('\n').at(-1)).toContain('interrupted');
    expect(running()).toEqual([]);
    for (const pid of pids) expect(commandLine(pid)).not.toContain(directory);
  });
});

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
